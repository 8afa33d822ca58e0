import { ioredisStrict } from '../../support/clients.js';
import { otherServerFaults } from '../faults.js';
import { eachRunOnce } from './each-run-once.js';

eachRunOnce(ioredisStrict, 'json', otherServerFaults);
