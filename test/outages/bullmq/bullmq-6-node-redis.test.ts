import { bullMq6OverNodeRedis } from '../../support/bullmq/kinds.js';
import { runEachOnce, tellingForWorkers } from './each-run-once.js';

runEachOnce(bullMq6OverNodeRedis, tellingForWorkers);
