import { test } from 'vitest';
import { checkScenarios } from '../simulation/check-scenarios.js';
import { themes } from '../simulation/scenarios.js';

test('lays every accepted job down once, whatever client, server and store do', async () => {
  await checkScenarios(themes.oneProcess);
});
