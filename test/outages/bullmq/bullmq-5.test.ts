import { bullMq5 } from '../../support/bullmq/kinds.js';
import { runEachOnce, tellingForWorkers } from './each-run-once.js';

runEachOnce(bullMq5, tellingForWorkers);
