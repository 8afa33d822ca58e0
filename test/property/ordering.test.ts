import { test } from 'vitest';
import { checkScenarios } from '../simulation/check-scenarios.js';
import { scenarios } from '../simulation/scenarios.js';

test("lays jobs down in the order of their calls where ordering is 'queue'", async () => {
  await checkScenarios(scenarios({ ordered: true, crashes: true }));
});
