import type {
  ALBEvent,
  ALBResult,
  APIGatewayProxyEvent,
  APIGatewayProxyEventV2,
  APIGatewayProxyResult,
  APIGatewayProxyStructuredResultV2,
  LambdaFunctionURLEvent,
} from 'aws-lambda';
import { describe, expectTypeOf, it } from 'vitest';
import type { FetchHandler, LambdaHandler } from '../../src/health/index.js';

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

describe('a Lambda handler', () => {
  it('takes the events of API Gateway, in either version of the payload, of a function URL, and of a load balancer', () => {
    const use = (
      handler: LambdaHandler,
      [rest, http, url, balancer]: [
        APIGatewayProxyEvent,
        APIGatewayProxyEventV2,
        LambdaFunctionURLEvent,
        ALBEvent,
      ],
    ) => {
      for (const event of [rest, http, url, balancer]) void handler(event);
      expectTypeOf(handler(rest)).resolves.toExtend<APIGatewayProxyResult>();
      expectTypeOf(handler(http)).resolves.toExtend<APIGatewayProxyStructuredResultV2>();
      expectTypeOf(handler(balancer)).resolves.toExtend<ALBResult>();
    };
    expectTypeOf(use).toBeFunction();
  });
});
