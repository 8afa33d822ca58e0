import { describe, expectTypeOf, it } from 'vitest';
import type { FetchHandler } from '../../src/health/index.js';

// Checked by `tsc`; nothing here runs.

// What Next.js writes beside each route.ts, up to 15, and 16 with webpack (next-types-plugin).
type FirstArg<T> = T extends (...args: [infer First, never]) => unknown
  ? unknown extends First
    ? 'any'
    : First
  : never;
type IsRoute<T> = FirstArg<T> extends 'any' | Request ? true : false;

describe('a fetch handler', () => {
  it('is a route of Next.js as it is, which refuses one whose first parameter is neither a Request nor anything at all', () => {
    expectTypeOf<IsRoute<FetchHandler>>().toEqualTypeOf<true>();
    type Narrower = (request?: { readonly method?: string }) => Promise<Response>;
    expectTypeOf<IsRoute<Narrower>>().toEqualTypeOf<false>();
  });

  it('takes a request, a context that has none of its properties, and nothing', () => {
    const use = (handler: FetchHandler, context: { readonly req: { readonly raw: Request } }) => {
      expectTypeOf(handler(new Request('http://localhost/'))).toEqualTypeOf<Promise<Response>>();
      void handler(context);
      void handler();
    };
    expectTypeOf(use).toBeFunction();
  });
});
