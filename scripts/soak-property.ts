import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { checkScenarios } from '../test/simulation/check-scenarios.js';
import { themes } from '../test/simulation/scenarios.js';

// `npm run soak:property [-- <runs> [<workers>]]`: the property-based test with as many runs as there is time for. Ends at
// the first broken promise, with the smallest scenario that breaks it and all that happens in it.

const CHUNK = 2000;
const names = Object.keys(themes) as (keyof typeof themes)[];

if (process.send) await work();
else await lead(Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? availableParallelism()));

/** Hands out chunks until enough is done. */
async function lead(runs: number, workers: number): Promise<void> {
  const startedAt = performance.now();
  const chunks = Math.ceil(runs / CHUNK);
  let handedOut = 0;
  let done = 0;
  const children: ChildProcess[] = [];
  const ends = Array.from({ length: Math.min(workers, chunks) }, async () => {
    const child = fork(fileURLToPath(import.meta.url), { execArgv: process.execArgv });
    children.push(child);
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const next = () => {
      if (handedOut === chunks) child.disconnect();
      else child.send(names[handedOut++ % names.length] as string);
    };
    child.on('message', (broken: string) => {
      if (broken !== '') {
        console.error(broken);
        process.exitCode = 1;
        for (const some of children) some.kill();
        return;
      }
      done += 1;
      const seconds = (performance.now() - startedAt) / 1000;
      console.log(
        `${done * CHUNK} runs in ${Math.round(seconds)} s (${Math.round((done * CHUNK) / seconds)} a second)`,
      );
      next();
    });
    next();
    await exited;
    if (done < chunks && handedOut < chunks) process.exitCode = 1;
  });
  await Promise.all(ends);
  if (process.exitCode === undefined) console.log(`${done * CHUNK} scenarios, and every promise was kept.`);
}

/** Runs the chunks that it is given, one after the other. */
async function work(): Promise<void> {
  process.on('message', (name: keyof typeof themes) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    void checkScenarios(themes[name], { runs: CHUNK, seed }).then(
      () => process.send?.(''),
      (error: Error) => process.send?.(`${name}: ${error.message}`),
    );
  });
}
