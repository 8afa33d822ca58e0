import { bullMq6 } from '../../support/bullmq/kinds.js';
import { otherFaults, runEachOnce } from './each-run-once.js';

runEachOnce(bullMq6, otherFaults[1] ?? []);
