import { ioredisStrict } from '../../support/clients.js';
import { otherNetworkFaults } from '../faults.js';
import { surviveEach } from '../survive-each.js';

surviveEach(ioredisStrict, otherNetworkFaults);
