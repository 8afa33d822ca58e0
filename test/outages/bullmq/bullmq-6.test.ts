import { bullMq6 } from '../../support/bullmq/kinds.js';
import { faultsForWorkers, runEachOnce } from './each-run-once.js';

runEachOnce(bullMq6, faultsForWorkers);
