import { bullMq6OverNodeRedis } from '../../support/bullmq/kinds.js';
import { faultsForWorkers, runEachOnce } from './each-run-once.js';

runEachOnce(bullMq6OverNodeRedis, faultsForWorkers);
