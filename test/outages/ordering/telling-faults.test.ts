import { describe, it } from 'vitest';
import { ioredisDefault, ioredisStrict, nodeRedisDefault } from '../../support/clients.js';
import { surviveOutage } from '../../support/stream-outage-run.js';
import { faults, tellingFaults } from '../faults.js';

const named = (pattern: RegExp) => faults.filter(({ name }) => pattern.test(name));

describe("ordering: 'queue'", () => {
  for (const fault of tellingFaults) {
    it(`keeps the order of the calls: ${fault.name}`, () =>
      surviveOutage(ioredisDefault, fault, { ordering: 'queue' }));
  }

  // Every client that sends a command again by itself, or does not, and retries that are asked for.
  for (const kind of [ioredisStrict, nodeRedisDefault]) {
    for (const fault of named(/^CLIENT KILL/)) {
      it(`keeps it under ${kind.name}, with retries: ${fault.name}`, () =>
        surviveOutage(kind, fault, { ordering: 'queue', retry: { attempts: 5 } }));
    }
  }

  for (const fault of named(/^SIGSTOP|^replies cut/)) {
    it(`keeps it under ${nodeRedisDefault.name}: ${fault.name}`, () =>
      surviveOutage(nodeRedisDefault, fault, { ordering: 'queue' }));
  }
});
