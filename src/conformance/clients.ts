import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Bench } from './bench.js';
import type { Theme } from './theme.js';

/** A client that jobs would be lost through is refused when the queue is made, and no other. */
export const clients: Theme = ({ describe, test, subject }) => {
  describe('a client', () => {
    test('that works is taken', async (bench) => {
      for (const client of bench.clients) bench.checkClient(client);
    });

    test('that cannot work is refused, with what to do about it', async (bench) => {
      if (!bench.canCheckClients) return;
      const refused = subject.refusedClients ?? [];
      assert.notDeepEqual(refused, [], 'refusedClients needs some, so that checkClient() is tried.');
      for (const client of refused) assert.throws(() => bench.checkClient(client), isRefusal);
    });

    test('of any other shape is taken, or refused with what to do about it', async (bench) => {
      for (const client of strangers()) assertTakenOrRefused(bench, client);
    });
  });
};

/** What may be given as `redis`, by mistake or on purpose: the queue itself finds out whether it knows them. */
function strangers(): readonly object[] {
  const bare: object = Object.create(null);
  return [{}, bare, [], new EventEmitter(), { options: null }, { options: 'none' }, { client: undefined }];
}

function assertTakenOrRefused(bench: Bench, client: object): void {
  try {
    bench.checkClient(client);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

/** A TypeError that somebody has written for somebody to read: not one of the engine's own, for a property that is not there. */
function isRefusal(error: unknown): boolean {
  const engines = /^Cannot (?:read|convert|destructure|use 'in')|is not (?:a function|iterable)/;
  return error instanceof TypeError && error.message !== '' && !engines.test(error.message);
}
