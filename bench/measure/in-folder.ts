import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Runs `work` with a new folder inside `directory`, which is gone afterwards. */
export async function inFolder<T>(directory: string, work: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(directory, 'store-'));
  try {
    return await work(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
