// Calls examples/health/lambda.ts with what arrives over HTTP, as API Gateway does, with events of the payload's version 2.0.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { handler } from '../../../examples/health/lambda.js';

async function eventOf(request: IncomingMessage): Promise<APIGatewayProxyEventV2> {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  const body = await text(request);
  // As AWS does with what it does not take for text, a form too.
  const isBase64Encoded = !/^text\/|json/.test(headers['content-type'] ?? '');
  const method = request.method ?? 'GET';
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: pathname,
    rawQueryString: search.slice(1),
    headers,
    requestContext: {
      accountId: '123456789012',
      apiId: 'api',
      domainName: 'id.execute-api.us-east-1.amazonaws.com',
      domainPrefix: 'id',
      http: { method, path: pathname, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' },
      requestId: 'id',
      routeKey: '$default',
      stage: '$default',
      time: '01/Jan/2026:00:00:00 +0000',
      timeEpoch: 1_767_225_600_000,
    },
    ...(body && { body: isBase64Encoded ? Buffer.from(body).toString('base64') : body }),
    isBase64Encoded,
  };
}

const server = createServer(async (request, response) => {
  const { statusCode = 500, headers = {}, body } = await handler(await eventOf(request));
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, String(value));
  response.writeHead(statusCode).end(body);
});
server.listen(Number(process.env.PORT), () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
