import { nodeRedis5Default } from '../../support/clients.js';
import { tellingFaults } from '../faults.js';
import { surviveEach } from '../survive-each.js';

surviveEach(nodeRedis5Default, tellingFaults);
