import type { HealthResponse } from './health-response.js';

/**
 * Answers a request of the fetch standard: a route handler of Next.js, Hono, Bun, Deno. Never rejects. Of what it is given, the
 * method is read, if there is one: a request, or Hono's context.
 */
// Not a type with a method: Next.js checks a route's first parameter, and refuses what is not a whole Request, and may be
// undefined; and Hono's context, which stands here where the handler is mounted as it is, has no method.
export type FetchHandler = (request?: unknown) => Promise<Response>;

export function makeFetchHandler(respond: (method?: string) => Promise<HealthResponse>): FetchHandler {
  return async (request) => {
    const { status, headers, body } = await respond(methodOf(request));
    return new Response(body === '' ? null : body, { status, headers });
  };
}

function methodOf(request: unknown): string | undefined {
  if (typeof request !== 'object' || request === null) return undefined;
  // The headers, because a route of Next.js that reads neither these nor the URL may be answered when the app is built, once for
  // all: with `cacheComponents`, and before Next.js 15. The method does not count.
  const { method, headers: _ } = request as { readonly method?: unknown; readonly headers?: unknown };
  return typeof method === 'string' ? method : undefined;
}
