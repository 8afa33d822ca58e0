import { test } from 'vitest';
import { checkScenarios } from '../simulation/check-scenarios.js';
import { themes } from '../simulation/scenarios.js';

test('lays every accepted job down once, although its process is killed at any moment', async () => {
  await checkScenarios(themes.crashes);
});
