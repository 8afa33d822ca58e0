// Serves examples/health/next as Next.js would: app/<path>/route.ts answers at <path>, by the function named as the method. SIGHUP
// evaluates queue.ts again, as a change to it does in development.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { serve } from '@hono/node-server';

type Route = Readonly<Record<string, (request: Request) => Promise<Response>>>;

async function answer(request: Request): Promise<Response> {
  const file = new URL(
    `../../../examples/health/next/app${new URL(request.url).pathname}/route.ts`,
    import.meta.url,
  );
  if (!existsSync(fileURLToPath(file))) return new Response(null, { status: 404 });
  const route: Route = await import(file.href);
  const handler = request.method === 'HEAD' ? (route.HEAD ?? route.GET) : route[request.method];
  return handler ? handler(request) : new Response(null, { status: 405 });
}

serve({ fetch: answer, port: Number(process.env.PORT) }, ({ port }) => {
  console.log(`listening on http://127.0.0.1:${port}`);
});

let evaluations = 0;
process.on('SIGHUP', async () => {
  const file = '../../../examples/health/next/queue.ts';
  const [first, again] = await Promise.all([import(file), import(`${file}?again=${++evaluations}`)]);
  console.log(
    `evaluated again: ${first === again ? 'not at all' : first.queue() === again.queue() ? 'one queue' : 'two queues'}`,
  );
});
