import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';
import { Child } from '../support/child.js';

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

class Service extends Child {
  #url = '';

  static async start(server: RedisServer): Promise<Service> {
    const env = { REDIS_PORT: String(server.port), PORT: '0' };
    const service = new Service('examples/bullmq/service.ts', { env });
    const [, url] = await service.printed(/listening on (http:\S+)/);
    service.#url = url as string;
    return service;
  }

  async order(body: string): Promise<Answer> {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    return answerOf(await fetch(`${this.#url}/orders`, { method: 'POST', headers, body }));
  }

  async health(): Promise<Answer> {
    return answerOf(await fetch(`${this.#url}/health/redis`, { headers: { connection: 'close' } }));
  }

  async becomes(status: string): Promise<void> {
    await waitFor(async () => (await this.health()).body.status === status, {
      ...{ what: `the orders to be ${status}`, timeoutMs: 20_000, everyMs: 50 },
    });
  }
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const worker = (server: RedisServer) =>
  new Child('examples/bullmq/worker.ts', { env: { REDIS_PORT: String(server.port) } });

const order = (id: string) => JSON.stringify({ id, to: 'me@example.com' });

it('takes orders while Redis is up, killed, and back, and its old worker confirms each once', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(server);
  await using old = worker(server);
  await old.printed(/waits for orders/);
  expect(await service.order(order('order-0'))).toEqual({
    status: 202,
    body: { id: 'order-0', outcome: 'enqueued' },
  });
  expect((await service.health()).status).toBe(200);
  await old.printed(/ran confirm order-0 for me@example\.com/);
  // It has run, and is removed: the second is known all the same.
  expect((await service.order(order('order-0'))).body.outcome).toBe('duplicate');

  await server.kill();
  const ids = Array.from({ length: 20 }, (_, n) => `order-${n + 1}`);
  const down = await Promise.all(ids.map((id) => service.order(order(id))));
  for (const answer of down) expect(answer).toMatchObject({ status: 202, body: { outcome: 'backed-up' } });
  await service.becomes('degraded');

  await server.restart();
  await service.becomes('up');
  const ran = /^ran confirm (\S+)/m;
  await waitFor(() => old.all(ran).length === 21, { what: 'all to be run', timeoutMs: 30_000 });
  service.signal('SIGTERM');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 0 orders were left in the backup');
  expect(old.all(ran).sort()).toEqual(['order-0', ...ids].sort());
});

it('tells a bad order from an outage, and ends on SIGTERM while Redis hangs', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(server);
  expect(await service.order('no json')).toMatchObject({ status: 400, body: { code: 'NO_JSON' } });
  expect(await service.order(order('17'))).toMatchObject({ status: 400, body: { code: 'ID_INVALID' } });
  server.pause();
  expect(await service.order(order('order-17'))).toMatchObject({ body: { outcome: 'backed-up' } });
  service.signal('SIGTERM');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('order order-17 is lost: closed');
  expect(service.output).toContain('closed, 1 orders were left in the backup');
});
