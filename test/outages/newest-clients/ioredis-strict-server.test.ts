import { ioredisStrict } from '../../support/clients.js';
import { otherServerFaults } from '../faults.js';
import { surviveEach } from '../survive-each.js';

surviveEach(ioredisStrict, otherServerFaults);
