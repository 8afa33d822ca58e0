import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { findPython } from '../../scripts/find-python.js';
import { clearRq } from './clear-rq.js';

const run = promisify(execFile);
const program = fileURLToPath(new URL('rq_producer.py', import.meta.url));

/** RQ's own producer, in a Python process of its own: `enqueue` a job a call, or `enqueue_many`. */
export async function pythonRq(port: number, batch: number) {
  const python = await findPython('rq');
  const redis = new Redis({ port });
  return {
    name: batch === 1 ? 'Python RQ enqueue' : `Python RQ enqueue_many, ${batch} a call`,
    /** Resolves with how many jobs a second it laid down; all are counted, and deleted. */
    async measure(durationMs: number): Promise<number> {
      const { stdout } = await run(python, [program, String(port), String(durationMs / 1000), String(batch)]);
      const { count, seconds, warmUp } = JSON.parse(stdout) as Record<'count' | 'seconds' | 'warmUp', number>;
      const laidDown = await redis.llen('rq:queue:python');
      if (laidDown !== count + warmUp)
        throw new Error(`RQ laid ${laidDown} jobs down of ${count + warmUp}: nothing was measured.`);
      await clearRq(redis);
      return count / seconds;
    },
    close: () => redis.quit(),
  };
}
