import { nodeRedisDefault } from '../../support/clients.js';
import { otherNetworkFaults } from '../faults.js';
import { surviveEach } from '../survive-each.js';

surviveEach(nodeRedisDefault, otherNetworkFaults);
