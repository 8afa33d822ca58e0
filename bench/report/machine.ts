import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { findRedisServer } from '../../scripts/find-redis-server.js';

/** Where a run took place: figures of different machines, or of a busy one, are not to be compared. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly redis: string;
  /** How many others wanted a core during the last minute before the run. */
  readonly loadBefore: number;
}

export async function describeMachine(): Promise<Machine> {
  const { stdout } = spawnSync(await findRedisServer(), ['--version'], { encoding: 'utf8' });
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    redis: /\bv=(\S+)/.exec(stdout)?.[1] ?? stdout.trim(),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

export function writeMachine(machine: Machine): string {
  const { cpu, cores, memoryGiB, system, node, redis, loadBefore } = machine;
  return `${cores} × ${cpu}, ${memoryGiB} GiB, ${system}; Node ${node}, Redis ${redis}; load before the run ${loadBefore}`;
}
