import { describe } from '../options/option-checks.js';
import type { HealthResponse } from './health-response.js';

/** The part of a node:http request that is read. */
export interface NodeRequest {
  readonly method?: string | undefined;
}

/** The part of a node:http response that is used; those of Express and of Fastify's `reply.raw` are such. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent?: boolean | undefined;
  setHeader(name: string, value: string): unknown;
  end(body?: string): unknown;
}

/** Answers the request. Never rejects; throws a `TypeError` at once for what is no response of node:http's. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => Promise<void>;

export function makeNodeHandler(respond: (method?: string) => Promise<HealthResponse>): NodeHandler {
  return (request, response) => {
    checkResponse(response);
    const method: unknown = request?.method;
    return answer(response, respond(typeof method === 'string' ? method : undefined));
  };
}

async function answer(response: NodeResponse, answering: Promise<HealthResponse>): Promise<void> {
  const { status, headers, body } = await answering;
  // Somebody else has answered meanwhile: a timeout of the server's, say.
  if (response.headersSent) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

function checkResponse(response: unknown): void {
  const { setHeader, end } = (response ?? {}) as Partial<Record<keyof NodeResponse, unknown>>;
  if (typeof setHeader === 'function' && typeof end === 'function') return;
  throw new TypeError(
    `The handler takes (request, response) of node:http, got ${describe(response)} as the response.`,
  );
}
