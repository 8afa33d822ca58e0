import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MemoryBackupStore } from '../../../src/index.js';
import { verify } from '../../../src/ledger/index.js';
import { IdleConnection } from '../support/idle-connection.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const good = { queue: 'orders', ledger: 'none.ndjson', redis: new IdleConnection() };

it.each<[object, RegExp, typeof TypeError | typeof RangeError]>([
  [
    { backups: 'gone' },
    /^Unknown option "backups" of verify\(\); there are queue, ledger, redis, /,
    TypeError,
  ],
  [{ recognition: { callersMs: 5 } }, /^Unknown option "recognition.callersMs"/, TypeError],
  [{ recognition: 5 }, /^Option "recognition" must be an object, got 5/, TypeError],
  [
    { recognition: { callerMs: '1 day' } },
    /^Option "recognition.callerMs" must be a whole number/,
    TypeError,
  ],
  [
    { recognition: { generatedMs: 0.5 } },
    /^Option "recognition.generatedMs" must be a whole number/,
    RangeError,
  ],
  [{ queue: 'a{b}' }, /^The queue's name/, RangeError],
  [{ ledger: undefined }, /^Option "ledger" must be the path of a file, .* got undefined/, TypeError],
  [{ ledger: [] }, /^Option "ledger" .* got an empty list/, TypeError],
  [{ ledger: ['a', 5] }, /^Option "ledger" .* got 5/, TypeError],
  [{ redis: 'redis://:secret@host' }, /^Option "redis" must be .* got a string/, TypeError],
  [
    { transport: 'pigeon' },
    /^Option "transport" must be one of streams, rq, bullmq, got "pigeon"/,
    TypeError,
  ],
  [{ backup: null }, /^Option "backup" must be a store .* got null/, TypeError],
  [{ backup: 'lost' }, /^Option "backup" must be a store .* got "lost"/, TypeError],
  [{ backup: [] }, /^Option "backup" must be a store .* got an empty list/, TypeError],
  [{ backup: [new MemoryBackupStore(), {}] }, /^Option "backup" must be a store/, TypeError],
  [{ bullMqPrefix: 5 }, /^Option "bullMqPrefix" must be a string/, TypeError],
  [{ examples: -1 }, /^Option "examples" must be a whole number/, RangeError],
  [{ timeoutMs: Number.NaN }, /^Option "timeoutMs" must be a whole number/, RangeError],
  [{ clock: 5 }, /^Option "clock" must have a method now/, TypeError],
])('rejects %j by name', async (option, says, kind) => {
  const asked = verify({ ...good, ...option } as never);
  await expect(asked).rejects.toThrow(says);
  await expect(asked).rejects.toBeInstanceOf(kind);
});

it('wants options, and takes good ones', async () => {
  await expect(verify(undefined as never)).rejects.toThrow('The options of verify() must be an object');
  const stores = [new MemoryBackupStore()];
  const options = { recognition: { callerMs: 1000 }, backup: stores, transport: 'rq', examples: 0 } as const;
  await expect(verify({ ...good, ...options })).rejects.toThrow('ENOENT');
});

it('reads a ledger of more writers than a call may have arguments', async () => {
  const ledger = join(temporaryFolder(), 'ledger.ndjson');
  const common = { v: 1, at: 5, queue: 'orders' };
  const recognition = { transport: 'rq', generatedMs: 7, callerMs: 5 };
  const line = (more: object) => `${JSON.stringify({ ...common, ...more })}\n`;
  const opened = line({ event: 'opened', writer: 'a', recognition });
  writeFileSync(ledger, opened.repeat(200_000) + line({ event: 'enqueued', id: 'a' }));
  // As far as it comes without Redis.
  await expect(verify({ ...good, ledger })).rejects.toThrow('This connection sends nothing');
});
