import { test } from 'vitest';
import { checkScenarios } from '../simulation/check-scenarios.js';
import { themes } from '../simulation/scenarios.js';

test("lays jobs down in the order of their calls where ordering is 'queue'", async () => {
  await checkScenarios(themes.ordering);
});
