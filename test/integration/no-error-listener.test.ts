import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { streamKey } from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

const clients = {
  ioredis: `
    import { Redis } from 'ioredis';
    const client = new Redis({ port });
    const end = () => client.disconnect();`,
  'node-redis': `
    import { createClient } from 'redis';
    const client = createClient({ socket: { port, host: '127.0.0.1' } });
    client.connect().catch(() => {});
    const end = () => client.destroy();`,
  'a factory of ioredis': `
    import { Redis } from 'ioredis';
    const client = () => new Redis({ port });
    const end = () => {};`,
  'a factory of node-redis': `
    import { createClient } from 'redis';
    const client = () => createClient({ socket: { port, host: '127.0.0.1' } });
    const end = () => {};`,
};

/** A service that enqueues until it is told to close, and then has nothing left that keeps it alive. */
const service = (client: string, port: number) => `
  import { MemoryBackupStore, ResilientQueue } from './src/index.ts';
  const port = ${port};
  ${client}
  let unhandled = 0;
  process.on('unhandledRejection', (reason) => {
    unhandled += 1;
    console.error('unhandled', reason);
  });
  const queue = new ResilientQueue('service', { redis: client, backup: new MemoryBackupStore(), deadlineMs: 500 });
  const ids = new Set();
  let failed = 0;
  const timer = setInterval(() => {
    queue.enqueue('job').then(({ id }) => ids.add(id), () => { failed += 1; });
  }, 5);
  const report = setInterval(() => {
    process.send({ status: queue.health().status, totals: queue.health().totals });
  }, 20);
  process.once('message', async () => {
    clearInterval(timer);
    const { pending } = await queue.close();
    clearInterval(report);
    await new Promise((sent) => process.send({ ids: [...ids], failed, unhandled, pending }, sent));
    end();
    process.disconnect();
  });
`;

interface Report {
  readonly status?: string;
  readonly totals?: Readonly<Record<string, number>>;
  readonly ids?: readonly string[];
  readonly failed?: number;
  readonly unhandled?: number;
  readonly pending?: number;
}

function start(code: string) {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', code],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  );
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const seen = { report: {} as Report, output: '', exit: undefined as number | string | undefined };
  child.on('message', (report: Report) => {
    seen.report = report;
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    seen.output += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    seen.output += text;
  });
  child.on('exit', (code, signal) => {
    seen.exit = code ?? signal ?? 'gone';
  });
  return { child, seen };
}

it.each(Object.keys(clients) as (keyof typeof clients)[])(
  'a process whose client has no error listener survives Redis, and ends by itself: %s',
  async (kind) => {
    await using server = await RedisServer.start();
    const { child, seen } = start(service(clients[kind], server.port));
    const until = (what: string, condition: (report: Report) => boolean) =>
      waitFor(() => seen.exit !== undefined || condition(seen.report), { what, timeoutMs: 20_000 });
    await until('jobs before Redis is killed', ({ totals }) => (totals?.delivered ?? 0) >= 50);
    await server.kill();
    await until('jobs in the backup', ({ totals }) => (totals?.pending ?? 0) >= 50);
    await server.restart();
    await until('the queue to be up', ({ status, totals }) => status === 'up' && totals?.pending === 0);
    expect(seen.exit, seen.output).toBe(undefined);

    const exited = once(child, 'exit');
    child.send('close');
    await until('the last report', ({ ids }) => ids !== undefined);
    const closedAt = performance.now();
    await waitFor(() => seen.exit !== undefined, { what: `the process to end by itself ${seen.output}` });
    await exited;
    expect(performance.now() - closedAt).toBeLessThan(2000);
    expect(seen.exit, seen.output).toBe(0);
    const { ids, failed, unhandled, pending } = seen.report;
    expect({ failed, unhandled, pending }, seen.output).toEqual({ failed: 0, unhandled: 0, pending: 0 });
    const inStream = (await readStream(server, streamKey('service'))).map(({ fields }) => fields.id);
    expect(inStream.sort()).toEqual([...(ids as string[])].sort());
  },
);

it.each(Object.keys(clients) as (keyof typeof clients)[])(
  'a process ends by itself although Redis was never there: %s',
  async (kind) => {
    const { child, seen } = start(service(clients[kind], await RedisServer.reservePort()));
    await waitFor(() => seen.exit !== undefined || (seen.report.totals?.pending ?? 0) >= 20, {
      what: 'jobs in the backup',
      timeoutMs: 20_000,
    });
    expect(seen.exit, seen.output).toBe(undefined);
    child.send('close');
    await waitFor(() => seen.exit !== undefined, { what: 'the process to end by itself' });
    expect(seen.exit, seen.output).toBe(0);
    expect(seen.report, seen.output).toMatchObject({ failed: 0, unhandled: 0 });
    expect(seen.report.pending).toBe(seen.report.ids?.length);
  },
);
