import { ioredisStrict } from '../../support/clients.js';
import { tellingFaults } from '../faults.js';
import { surviveEach } from '../survive-each.js';

surviveEach(ioredisStrict, tellingFaults);
