import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runInChild } from '../child/run-in-child.js';
import type { ProfileOrder } from './enqueue-profiled.js';
import { topFunctions } from './top-functions.js';

/** Profiles `enqueue()` with `callers`, leaves a `.cpuprofile` for Chrome's DevTools, and prints what took longest. */
export async function profileEnqueue(
  callers: number,
  folder: string,
  print: (text: string) => void,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `enqueue-${callers}.cpuprofile`);
  const order: ProfileOrder = { callers, durationMs: 5000, file };
  const perSecond = await runInChild<number>('profile/enqueue-profiled', order);
  print(`${Math.round(perSecond).toLocaleString('en-US')} jobs/s while profiled, ${callers} callers\n`);
  print(topFunctions(file, 30));
  print(`\nThe whole profile, for Chrome's DevTools: ${file}`);
}
