import { test } from 'vitest';
import { checkScenarios } from '../simulation/check-scenarios.js';
import { themes } from '../simulation/scenarios.js';

test('lays every accepted job down once, although two processes share a store and are killed', async () => {
  await checkScenarios(themes.twoProcesses);
});
