import { bullMq6 } from '../../support/bullmq/kinds.js';
import { runEachOnce, tellingForWorkers } from './each-run-once.js';

runEachOnce(bullMq6, tellingForWorkers);
