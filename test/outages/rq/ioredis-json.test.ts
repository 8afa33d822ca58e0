import { ioredisDefault } from '../../support/clients.js';
import { tellingFaults } from '../faults.js';
import { eachRunOnce } from './each-run-once.js';

eachRunOnce(ioredisDefault, 'json', tellingFaults);
