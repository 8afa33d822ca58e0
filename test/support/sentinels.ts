import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { findRedisServer } from '../../scripts/find-redis-server.js';
import { freePort } from './free-port.js';
import { sendCommand } from './resp-connection.js';
import { waitFor } from './wait-for.js';

export interface Sentinel {
  readonly port: number;
  command(...args: readonly string[]): Promise<unknown>;
  kill(): Promise<void>;
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(): void;
}

/** Real Sentinels that watch the primary on `primaryPort` as "queue" and know each other; they end with the test. */
export async function startSentinels(
  count: number,
  primaryPort: number,
  quorum: number,
): Promise<Sentinel[]> {
  const binary = await findRedisServer();
  const sentinels = [];
  for (let n = 0; n < count; n++) sentinels.push(await startOne(binary, primaryPort, quorum));
  await Promise.all(
    sentinels.map((sentinel) =>
      waitFor(async () => (await othersKnownTo(sentinel)) === count - 1, {
        what: 'the Sentinels to know each other',
        timeoutMs: 20_000,
      }),
    ),
  );
  return sentinels;
}

async function startOne(binary: string, primaryPort: number, quorum: number): Promise<Sentinel> {
  const folder = mkdtempSync(join(tmpdir(), 'resilient-queue-sentinel-'));
  const port = await freePort();
  const config = join(folder, 'sentinel.conf');
  const lines = [
    ...[`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`],
    `sentinel monitor queue 127.0.0.1 ${primaryPort} ${quorum}`,
    ...['sentinel down-after-milliseconds queue 500', 'sentinel failover-timeout queue 60000'],
  ];
  writeFileSync(config, lines.join('\n'));
  const child: ChildProcess = spawn(binary, [config, '--sentinel'], { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(async () => {
    await kill();
    rmSync(folder, { recursive: true });
  });
  const sentinel = {
    ...{ port, kill, pause: () => void child.kill('SIGSTOP') },
    command: (...args: readonly string[]) => sendCommand({ port }, ...args),
  };
  await waitFor(() => sentinel.command('PING'), { what: 'a Sentinel to answer' });
  return sentinel;
}

async function othersKnownTo(sentinel: Sentinel): Promise<number> {
  const [fields] = (await sentinel.command('SENTINEL', 'MASTERS')) as string[][];
  return Number(fields?.[fields.indexOf('num-other-sentinels') + 1]);
}
