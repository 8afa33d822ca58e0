import type { HealthResponse } from './health-response.js';

/** Answers a request of the fetch standard: a route handler of Next.js, Hono, Bun, Deno. Never rejects. */
export type FetchHandler = (request?: { readonly method?: string | undefined }) => Promise<Response>;

export function makeFetchHandler(respond: (method?: string) => Promise<HealthResponse>): FetchHandler {
  return async (request) => {
    const { status, headers, body } = await respond(request?.method);
    return new Response(body === '' ? null : body, { status, headers });
  };
}
