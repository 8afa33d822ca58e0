import { bullMq5 } from '../../support/bullmq/kinds.js';
import { faultsForWorkers, runEachOnce } from './each-run-once.js';

runEachOnce(bullMq5, faultsForWorkers);
