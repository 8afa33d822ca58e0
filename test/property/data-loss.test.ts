import { test } from 'vitest';
import { checkScenarios } from '../simulation/check-scenarios.js';
import { themes } from '../simulation/scenarios.js';

test('lays down again what Redis lost within the window of a living process, and says so', async () => {
  await checkScenarios(themes.dataLoss);
});
