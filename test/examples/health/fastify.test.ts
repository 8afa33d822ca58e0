import { it } from 'vitest';
import { survivesAnOutage } from '../support/outage.js';

it('tells the truth through an outage of Redis, loses no job, and closes its queue on SIGTERM', () =>
  survivesAnOutage('examples/health/fastify.ts'));
