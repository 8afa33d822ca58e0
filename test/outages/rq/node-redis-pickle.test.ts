import { nodeRedisDefault } from '../../support/clients.js';
import { tellingFaults } from '../faults.js';
import { eachRunOnce } from './each-run-once.js';

eachRunOnce(nodeRedisDefault, 'pickle', tellingFaults);
