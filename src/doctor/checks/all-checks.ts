import type { Check } from '../check.js';
import { backupChecks } from './backup.js';
import { clientChecks } from './client.js';
import { configurationChecks } from './configuration.js';
import { connectionChecks } from './connection.js';
import { highAvailabilityChecks } from './high-availability.js';
import { logChecks } from './logs.js';
import { networkChecks } from './network.js';
import { resourceChecks } from './resources.js';

/** In the order in which a person looks. */
export const allChecks: readonly Check[] = [
  ...connectionChecks,
  ...resourceChecks,
  ...logChecks,
  ...configurationChecks,
  ...networkChecks,
  ...highAvailabilityChecks,
  ...backupChecks,
  ...clientChecks,
];
