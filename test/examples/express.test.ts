import { streamKey } from '@morningai/resilient-queue';
import { expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { type Answer, Service } from './support/service.js';

const file = 'examples/express.ts';

const post = (service: Service, body: unknown) => service.post('/jobs', body);

interface Checks {
  readonly 'backup:pending': readonly { readonly observedValue: number }[];
}

const pendingIs =
  (count: number) =>
  ({ body }: Answer): boolean =>
    (body.checks as Checks)['backup:pending'][0]?.observedValue === count;

const idsIn = async (server: RedisServer) =>
  (await readStream(server, streamKey('orchestrator'))).map(({ fields }) => fields.id);

it('takes jobs over HTTP while Redis is up, killed, and back, and lays each down once', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(file, server);
  const job = { name: 'faq.generate', payload: { question: 'What if Redis is down?' } };

  const up = await post(service, job);
  expect(up).toMatchObject({ status: 202, body: { outcome: 'enqueued', durability: 'acked' } });
  expect(await post(service, { ...job, id: 'mine' })).toMatchObject({ status: 202, body: { id: 'mine' } });
  expect(await post(service, { ...job, id: 'mine' })).toMatchObject({
    status: 202,
    body: { id: 'mine', outcome: 'duplicate' },
  });
  for (const path of ['/health/live', '/health/ready', '/health/redis']) {
    expect(await service.get(path)).toMatchObject({ status: 200, body: { status: 'pass' } });
  }

  await server.kill();
  const down = await Promise.all(Array.from({ length: 20 }, () => post(service, job)));
  for (const answer of down) expect(answer).toMatchObject({ status: 202, body: { outcome: 'backed-up' } });
  const waiting = await service.until('/health/ready', 'to have 20 jobs', pendingIs(20));
  expect(waiting).toMatchObject({ status: 200, body: { status: 'warn' } });
  expect(await service.get('/health/redis')).toMatchObject({ status: 503, body: { status: 'fail' } });
  expect(await service.get('/health/live')).toMatchObject({ status: 200 });

  await server.restart();
  expect(pendingIs(0)(await service.becomes('/health/ready', 200, 'pass'))).toBe(true);
  const back = await post(service, job);
  expect(back).toMatchObject({ status: 202, body: { outcome: 'enqueued' } });

  service.signal('SIGTERM');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 0 jobs were left in the backup');
  const accepted = [up, ...down, back].map(({ body }) => body.id);
  expect((await idsIn(server)).sort()).toEqual([...accepted, 'mine'].sort());
});

it('answers 400 or 413 to what no retry can mend, with nothing written', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using service = await Service.start(file, server);
  const big = 'x'.repeat(1024 * 1024);
  expect(await post(service, { payload: 1 })).toMatchObject({ status: 400, body: { code: 'NAME_INVALID' } });
  expect(await post(service, { name: 'a', id: '' })).toMatchObject({
    status: 400,
    body: { code: 'ID_INVALID' },
  });
  expect(await post(service, { name: 'a', payload: big })).toMatchObject({
    status: 413,
    body: { code: 'PAYLOAD_TOO_LARGE', fate: 'not-delivered' },
  });
  expect(await idsIn(server)).toEqual([]);
  expect(await post(service, { name: 'a' })).toMatchObject({ status: 202, body: { outcome: 'enqueued' } });
});

it('answers 503 when the backup is full, and takes the same id again later', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(file, server, { BACKUP_JOBS: '2' });
  await server.kill();
  const kept = [await post(service, { name: 'a' }), await post(service, { name: 'a' })];
  const refused = await post(service, { name: 'a' });
  expect(refused).toMatchObject({
    status: 503,
    retryAfter: '1',
    body: { code: 'BACKUP_FULL', fate: 'not-delivered', jobId: expect.any(String) },
  });
  expect(await service.becomes('/health/ready', 503)).toMatchObject({
    retryAfter: '5',
    body: { status: 'fail' },
  });

  await server.restart();
  await service.becomes('/health/ready', 200, 'pass');
  const id = refused.body.jobId;
  expect(await post(service, { name: 'a', id })).toMatchObject({ status: 202, body: { id } });
  expect(await post(service, { name: 'a', id })).toMatchObject({ body: { outcome: 'duplicate' } });
  const accepted = [...kept.map(({ body }) => body.id), id];
  expect((await idsIn(server)).sort()).toEqual(accepted.sort());
});

it('ends on SIGTERM also while Redis hangs, saying what was left', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(file, server);
  server.pause();
  const under = post(service, { name: 'a' });
  expect(await under).toMatchObject({ status: 202, body: { outcome: 'backed-up' } });
  service.signal('SIGTERM');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 1 jobs were left in the backup');
  expect(service.output).toMatch(/job \S+ is lost: closed/);
});
