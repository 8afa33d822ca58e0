import { tellingFaults } from '../../../outages/faults.js';
import { nodeRedisDefault } from '../../../support/clients.js';
import { eachRunOnce } from './each-run-once.js';

eachRunOnce(nodeRedisDefault, 'pickle', tellingFaults);
