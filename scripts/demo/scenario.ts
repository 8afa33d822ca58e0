import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '../../test/support/redis-server.js';

/** A stretch of the demo. */
export interface Phase {
  /** For the time line. */
  readonly label: string;
  /** What is happening, in plain words. */
  readonly title: string;
  /** How much of the whole it takes. */
  readonly share: number;
  /** What is done to Redis as it begins. Resolves with what to tell about it. */
  readonly act: (server: RedisServer) => Promise<string> | string;
}

export const phases: readonly Phase[] = [
  {
    label: 'well',
    title: 'Redis is well',
    share: 2.5,
    act: (server) => `redis-server runs (pid ${server.pid}), fsyncing every write`,
  },
  {
    label: 'kill -9',
    title: 'Redis is dead: its process was killed with kill -9',
    share: 3,
    act: async (server) => {
      const { pid } = server;
      await server.kill();
      return `kill -9 ${pid}`;
    },
  },
  {
    label: 'restarted',
    title: 'Redis is back: the process was started again',
    share: 5,
    act: async (server) => {
      await server.restart();
      return `redis-server started again (pid ${server.pid})`;
    },
  },
  {
    label: 'SIGSTOP',
    title: 'Redis hangs: SIGSTOP, its connections stay open and nothing answers',
    share: 4,
    act: (server) => {
      server.pause();
      return `kill -STOP ${server.pid}`;
    },
  },
  {
    label: 'SIGCONT',
    title: 'Redis wakes: SIGCONT, it now also runs what it was sent while it hung',
    share: 4,
    act: (server) => {
      server.resume();
      return `kill -CONT ${server.pid}`;
    },
  },
];

/** When each phase begins and ends, ms from the start, if all take `seconds`. */
export interface Span {
  readonly phase: Phase;
  readonly fromMs: number;
  readonly toMs: number;
}

export function schedule(seconds: number): readonly Span[] {
  const shares = phases.reduce((sum, { share }) => sum + share, 0);
  const msOfShare = (seconds * 1000) / shares;
  let fromMs = 0;
  return phases.map((phase) => {
    const span = { phase, fromMs, toMs: fromMs + phase.share * msOfShare };
    fromMs = span.toMs;
    return span;
  });
}

/** Plays the phases by the clock: an act that takes long shortens its own phase, not the next ones. */
export async function play(
  spans: readonly Span[],
  server: RedisServer,
  tell: { phase(title: string): void; event(text: string): void },
): Promise<void> {
  const startedAt = performance.now();
  for (const { phase, toMs } of spans) {
    tell.phase(phase.title);
    tell.event(await phase.act(server));
    await sleep(Math.max(0, startedAt + toMs - performance.now()));
  }
}
