import { ioredisStrict } from '../../support/clients.js';
import { otherNetworkFaults } from '../faults.js';
import { eachRunOnce } from './each-run-once.js';

eachRunOnce(ioredisStrict, 'pickle', otherNetworkFaults);
