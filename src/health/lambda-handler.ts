import type { HealthResponse } from './health-response.js';

/** What AWS API Gateway, a function URL or a load balancer expect of a Lambda. */
export interface LambdaResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The part of an event that is read: the method, `httpMethod` in the payload's version 1 and of a load balancer,
 * `requestContext.http.method` in version 2.
 */
export interface LambdaEvent {
  readonly httpMethod?: string | undefined;
  // No more than an object: with `http` named, TypeScript refuses the contexts that have none.
  readonly requestContext?: object | undefined;
}

/** Answers an event of AWS Lambda. Never rejects. */
export type LambdaHandler = (event?: LambdaEvent) => Promise<LambdaResult>;

export function makeLambdaHandler(respond: (method?: string) => Promise<HealthResponse>): LambdaHandler {
  return async (event) => {
    const context = event?.requestContext as { readonly http?: { readonly method?: unknown } } | undefined;
    const method = context?.http?.method ?? event?.httpMethod;
    const { status, headers, body } = await respond(typeof method === 'string' ? method : undefined);
    return { statusCode: status, headers, body };
  };
}
