import { it } from 'vitest';
import { survivesAnOutage } from '../support/outage.js';

interface Said {
  readonly queue: { readonly status: string };
}

it('tells the truth through an outage of Redis, loses no job, and closes its queue on SIGTERM', () =>
  survivesAnOutage('examples/health/nest.ts', {
    type: 'application/json',
    // As @nestjs/terminus says it, under the key that the indicator was given.
    wordOf: ({ details }) => (details as Said).queue.status,
    words: ['up', 'degraded'],
  }));
