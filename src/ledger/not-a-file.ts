import type { Stats } from 'node:fs';

/** A ledger's path leads to something else. */
export function notAFile(path: string, stats: Stats): Error {
  return new Error(`A ledger has to be a file, and ${path} is ${kindOf(stats)}.`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
