import { readFileSync } from 'node:fs';

const MIB = 2 ** 20;
const SAMPLE_EVERY_MS = 25;

/** MiB. */
export interface ProcessMemory {
  /** Resident; pages of mapped files count, though the system may take them back at any time. */
  readonly rss: number;
  /** Of it, what is no file's: the heap, buffers, native memory. */
  readonly anonymous: number;
  /** JavaScript objects, garbage included. */
  readonly heapUsed: number;
}

/** Before, the most of each during, and after. */
export interface MemoryCourse {
  readonly before: ProcessMemory;
  readonly most: ProcessMemory;
  readonly after: ProcessMemory;
}

/** Samples this process's memory while `work` runs. Garbage is collected before and after, in a process that may (`--expose-gc`). */
export async function watchMemory<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly memory: MemoryCourse }> {
  globalThis.gc?.();
  const before = processMemory();
  let most = before;
  const look = () => {
    const now = processMemory();
    most = {
      rss: Math.max(most.rss, now.rss),
      anonymous: Math.max(most.anonymous, now.anonymous),
      heapUsed: Math.max(most.heapUsed, now.heapUsed),
    };
  };
  const timer = setInterval(look, SAMPLE_EVERY_MS);
  try {
    const value = await work();
    look();
    globalThis.gc?.();
    return { value, memory: { before, most, after: processMemory() } };
  } finally {
    clearInterval(timer);
  }
}

function processMemory(): ProcessMemory {
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: rss / MIB, anonymous: anonymousBytes() / MIB, heapUsed: heapUsed / MIB };
}

/** Only Linux tells. */
function anonymousBytes(): number {
  if (process.platform !== 'linux') return Number.NaN;
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
