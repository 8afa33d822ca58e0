import fc from 'fast-check';
import type { Scenario } from './scenario.js';
import { World } from './world.js';

/** Scenarios that each property is tried with: of five of them, ten thousand in all. */
export const RUNS = Number(process.env.PROPERTY_RUNS ?? 2000);
/** The same scenarios each time: a commit passes or fails for its own sake. `npm run soak:property` looks for new ones. */
const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_123);

/** Lets a scenario happen. Resolves with what was wrong; nothing, if all promises were kept. */
export function happen(scenario: Scenario): Promise<string[]> {
  return new World(scenario).run();
}

/** The same once more, with notes of everything that happened. */
export async function recount(scenario: Scenario): Promise<string> {
  const lines: string[] = [];
  const broken = await new World(scenario, (line) => lines.push(line), true).run();
  return [...lines, '', ...broken].join('\n');
}

/**
 * Looks for a scenario in which a promise is broken. Throws with the smallest one, ready to be pasted into
 * `counterexamples.test.ts`, and with all that happened in it.
 */
export async function checkScenarios(
  scenarios: fc.Arbitrary<Scenario>,
  options: { readonly runs?: number; readonly seed?: number } = {},
): Promise<void> {
  const property = fc.asyncProperty(scenarios, async (scenario) => {
    const broken = await happen(scenario);
    if (broken.length > 0) throw new Error(broken.join('\n'));
  });
  const { runs = RUNS, seed = SEED } = options;
  const details = await fc.check(property, { numRuns: runs, seed });
  if (!details.failed) return;
  const scenario = details.counterexample?.[0];
  throw new Error(
    [
      `After ${details.numRuns} runs and ${details.numShrinks} steps of shrinking, seed ${details.seed}:`,
      fc.stringify(scenario),
      scenario ? await recount(scenario) : String(details.errorInstance),
    ].join('\n\n'),
  );
}
