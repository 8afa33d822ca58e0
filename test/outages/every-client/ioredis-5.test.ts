import { ioredis5Default } from '../../support/clients.js';
import { tellingFaults } from '../faults.js';
import { surviveEach } from '../survive-each.js';

surviveEach(ioredis5Default, tellingFaults);
