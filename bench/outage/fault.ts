import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '../../test/support/redis-server.js';

export const faults = ['kill -9', 'SIGSTOP'] as const;
export type Fault = (typeof faults)[number];

export async function breakRedis(server: RedisServer, fault: Fault): Promise<void> {
  if (fault === 'kill -9') await server.kill();
  else server.pause();
}

/** Resolves, when Redis takes a write again, with when that was: by `performance.now()`. */
export async function mendRedis(server: RedisServer, fault: Fault): Promise<number> {
  const writableAt = whenWritable(server);
  if (fault === 'kill -9') await server.restart();
  else server.resume();
  return writableAt;
}

async function whenWritable(server: RedisServer): Promise<number> {
  for (;;) {
    try {
      await server.commandWith({ timeoutMs: 20_000 }, 'SET', 'bench:writable', '1');
      return performance.now();
    } catch {
      await sleep(1);
    }
  }
}
