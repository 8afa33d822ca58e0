import type { RedisServer } from '../../test/support/redis-server.js';
import { readInfo } from './redis-info.js';

/** Microseconds of a processor. */
export interface Cpu {
  /** This process, all its threads. */
  readonly client: number;
  /** The server's process: reading, parsing and writing included. */
  readonly server: number;
  /** What the server spent in the one command by which jobs are laid down. */
  readonly command: number;
}

/** Begins to measure; the function it returns ends it and says what each of `jobs` cost. */
export async function measureCpu(
  server: RedisServer,
  command: string,
): Promise<(jobs: number) => Promise<Cpu>> {
  const before = { server: await serverCpu(server), command: await commandCpu(server, command) };
  const client = process.cpuUsage();
  return async (jobs) => {
    const { user, system } = process.cpuUsage(client);
    return {
      client: (user + system) / jobs,
      server: ((await serverCpu(server)) - before.server) / jobs,
      command: ((await commandCpu(server, command)) - before.command) / jobs,
    };
  };
}

async function serverCpu(server: RedisServer): Promise<number> {
  const info = await readInfo(server, 'cpu');
  return (Number(info.used_cpu_user) + Number(info.used_cpu_sys)) * 1e6;
}

async function commandCpu(server: RedisServer, command: string): Promise<number> {
  const info = await readInfo(server, 'commandstats');
  return Number(/\busec=(\d+)/.exec(info[`cmdstat_${command}`] ?? '')?.[1] ?? 0);
}
