// The process in which a part is run: takes one order, sends one answer, ends.
import { tell } from '../progress.js';
import type { Answer, Order } from './run-in-child.js';

const orphaned = () => process.exit(1);

process.once('message', async ({ module, input }: Order) => {
  try {
    const measured = import.meta.resolve('@morningai/resilient-queue');
    if (!measured.endsWith('/dist/index.js')) throw new Error(`${measured} is not the built package.`);
    const { run } = (await import(new URL(`../${module}.ts`, import.meta.url).href)) as {
      run(input: unknown): Promise<unknown>;
    };
    const output = await run(input);
    process.off('disconnect', orphaned);
    process.send?.({ output } satisfies Answer, () => process.exit(0));
  } catch (error) {
    tell(error instanceof Error ? `${error.stack}` : String(error));
    process.exit(1);
  }
});
// Whoever waited for the answer is gone; the servers go with this process.
process.once('disconnect', orphaned);
