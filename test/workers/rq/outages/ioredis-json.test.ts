import { tellingFaults } from '../../../outages/faults.js';
import { ioredisDefault } from '../../../support/clients.js';
import { eachRunOnce } from './each-run-once.js';

eachRunOnce(ioredisDefault, 'json', tellingFaults);
