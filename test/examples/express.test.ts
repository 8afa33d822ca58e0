import { streamKey } from '@morningai/resilient-queue';
import { expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import { Child, redisUrl } from './support/child.js';

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: Record<string, unknown>;
}

class Service extends Child {
  #url = '';

  static async start(server: RedisServer, env: NodeJS.ProcessEnv = {}): Promise<Service> {
    const service = new Service('examples/express.ts', {
      env: { REDIS_URL: redisUrl(server), PORT: '0', ...env },
    });
    const [, url] = await service.printed(/listening on (http:\S+)/);
    service.#url = url as string;
    return service;
  }

  async get(path: string): Promise<Answer> {
    return answerOf(await fetch(this.#url + path, { headers: { connection: 'close' } }));
  }

  async post(body: unknown): Promise<Answer> {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    return answerOf(
      await fetch(`${this.#url}/jobs`, { method: 'POST', headers, body: JSON.stringify(body) }),
    );
  }

  /** Waits until the health page says so. */
  async becomes(status: string): Promise<Answer> {
    return waitFor(
      async () => {
        const answer = await this.get('/health/redis');
        return answer.body.status === status && answer;
      },
      { what: `the service to be ${status}`, timeoutMs: 20_000, everyMs: 50 },
    );
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text };
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body };
}

const idsIn = async (server: RedisServer) =>
  (await readStream(server, streamKey('orchestrator'))).map(({ fields }) => fields.id);

it('takes jobs over HTTP while Redis is up, killed, and back, and lays each down once', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(server);
  const job = { name: 'faq.generate', payload: { question: 'What if Redis is down?' } };

  const up = await service.post(job);
  expect(up).toMatchObject({ status: 202, body: { outcome: 'enqueued', durability: 'acked' } });
  expect(await service.post({ ...job, id: 'mine' })).toMatchObject({ status: 202, body: { id: 'mine' } });
  expect(await service.post({ ...job, id: 'mine' })).toMatchObject({
    status: 202,
    body: { id: 'mine', outcome: 'duplicate' },
  });
  expect(await service.get('/health/redis')).toMatchObject({ status: 200, body: { status: 'up' } });

  await server.kill();
  const down = await Promise.all(Array.from({ length: 20 }, () => service.post(job)));
  for (const answer of down) expect(answer).toMatchObject({ status: 202, body: { outcome: 'backed-up' } });
  expect(await service.becomes('degraded')).toMatchObject({
    status: 200,
    body: { breaker: 'open', backup: { pending: 20 } },
  });

  await server.restart();
  expect(await service.becomes('up')).toMatchObject({ status: 200, body: { backup: { pending: 0 } } });
  const back = await service.post(job);
  expect(back).toMatchObject({ status: 202, body: { outcome: 'enqueued' } });

  service.signal('SIGTERM');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 0 jobs were left in the backup');
  const accepted = [up, ...down, back].map(({ body }) => body.id);
  expect((await idsIn(server)).sort()).toEqual([...accepted, 'mine'].sort());
});

it('answers 400 to what no retry can mend, with nothing written', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using service = await Service.start(server);
  const big = 'x'.repeat(1024 * 1024);
  expect(await service.post({ payload: 1 })).toMatchObject({ status: 400, body: { code: 'NAME_INVALID' } });
  expect(await service.post({ name: 'a', id: '' })).toMatchObject({
    status: 400,
    body: { code: 'ID_INVALID' },
  });
  expect(await service.post({ name: 'a', payload: big })).toMatchObject({
    status: 400,
    body: { code: 'PAYLOAD_TOO_LARGE', fate: 'not-delivered' },
  });
  expect(await idsIn(server)).toEqual([]);
  expect(await service.post({ name: 'a' })).toMatchObject({ status: 202, body: { outcome: 'enqueued' } });
});

it('answers 503 when the backup is full, and takes the same id again later', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(server, { BACKUP_JOBS: '2' });
  await server.kill();
  const kept = [await service.post({ name: 'a' }), await service.post({ name: 'a' })];
  const refused = await service.post({ name: 'a' });
  expect(refused).toMatchObject({
    status: 503,
    retryAfter: '1',
    body: { code: 'BACKUP_FULL', fate: 'not-delivered', jobId: expect.any(String) },
  });
  expect(await service.get('/health/redis')).toMatchObject({ status: 503, body: { status: 'down' } });

  await server.restart();
  await service.becomes('up');
  const id = refused.body.jobId;
  expect(await service.post({ name: 'a', id })).toMatchObject({ status: 202, body: { id } });
  expect(await service.post({ name: 'a', id })).toMatchObject({ body: { outcome: 'duplicate' } });
  const accepted = [...kept.map(({ body }) => body.id), id];
  expect((await idsIn(server)).sort()).toEqual(accepted.sort());
});

it('ends on SIGTERM also while Redis hangs, saying what was left', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(server);
  server.pause();
  const under = service.post({ name: 'a' });
  expect(await under).toMatchObject({ status: 202, body: { outcome: 'backed-up' } });
  service.signal('SIGTERM');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 1 jobs were left in the backup');
  expect(service.output).toMatch(/job \S+ is lost: closed/);
});
