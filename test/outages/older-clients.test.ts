import { describe, it } from 'vitest';
import { ioredis5Default, nodeRedis5Default } from '../support/clients.js';
import { surviveOutage } from '../support/outage-run.js';
import { faults } from './faults.js';

// The faults in which the clients' majors could differ: how they lose a connection, and how they give commands up.
const telling = /^(kill -9|SIGSTOP|replies cut|NOAUTH|never up|garbage)/;

describe.each([ioredis5Default, nodeRedis5Default])('an outage under $name', (kind) => {
  for (const fault of faults.filter(({ name }) => telling.test(name))) {
    it(`loses and doubles nothing: ${fault.name}`, () => surviveOutage(kind, fault));
  }
});
