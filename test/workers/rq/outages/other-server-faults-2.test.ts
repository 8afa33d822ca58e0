import { otherServerFaults } from '../../../outages/faults.js';
import { ioredisStrict } from '../../../support/clients.js';
import { eachRunOnce } from './each-run-once.js';

eachRunOnce(ioredisStrict, 'json', otherServerFaults.slice(5));
