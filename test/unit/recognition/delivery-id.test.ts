import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DeliveryIds,
  EPOCH_JOBS,
  isDeliveryId,
  parseDeliveryId,
  seqIn,
} from '../../../src/recognition/delivery-id.js';
import { FakeClock } from '../support/fake-clock.js';

function makeIds(clock = new FakeClock()) {
  const epochs: string[] = [];
  return { ids: new DeliveryIds(clock, (epoch) => epochs.push(epoch)), epochs, clock };
}

it('counts from 0 in one epoch', () => {
  const { ids, epochs } = makeIds();
  expect([ids.next(), ids.next(), ids.next()].map(parseDeliveryId)).toEqual([
    { epoch: epochs[0], seq: 0 },
    { epoch: epochs[0], seq: 1 },
    { epoch: epochs[0], seq: 2 },
  ]);
  expect(epochs).toEqual([ids.epoch]);
});

it('renews the epoch after 2^20 ids, and never gives one twice', { timeout: 60_000 }, () => {
  const { ids, epochs } = makeIds();
  const seen = new Set<string>();
  for (let i = 0; i < EPOCH_JOBS + 2; i++) seen.add(ids.next());
  expect(EPOCH_JOBS).toBe(1_048_576);
  expect(seen.size).toBe(EPOCH_JOBS + 2);
  expect(epochs).toHaveLength(2);
  expect(seen).toContain(`${epochs[0]}-${EPOCH_JOBS - 1}`);
  expect(seen).toContain(`${epochs[1]}-0`);
  expect(seen).not.toContain(`${epochs[0]}-${EPOCH_JOBS}`);
});

it('tells of an epoch before its first id is used, also when only the epoch is asked for', () => {
  const { ids, epochs } = makeIds();
  expect(epochs).toEqual([]);
  const { epoch } = ids;
  expect(epochs).toEqual([epoch]);
  expect(ids.next()).toBe(`${epoch}-0`);
  expect(epochs).toEqual([epoch]);
});

it('owns the epochs that it made, and no other', () => {
  const { ids, epochs } = makeIds();
  expect(ids.owns('')).toBe(false);
  for (let i = 0; i < 2 * EPOCH_JOBS + 1; i++) ids.next();
  expect(epochs.map((epoch) => ids.owns(epoch))).toEqual([true, true, true]);
  expect(ids.owns(makeIds().ids.epoch)).toBe(false);
});

it('makes epochs that sort by their age', () => {
  const clock = new FakeClock(0);
  const epochs: string[] = [];
  for (const ms of [0, 1, 15, 16, 999_999, 1_700_000_000_000, 1_700_000_000_001, 17_000_000_000_000]) {
    clock.ms = ms;
    epochs.push(new DeliveryIds(clock, () => {}).epoch);
  }
  expect([...epochs].sort()).toEqual(epochs);
});

it('gives two queues of the same millisecond different epochs, of 64 random bits', () => {
  const clock = new FakeClock();
  const epochs = Array.from({ length: 1000 }, () => new DeliveryIds(clock, () => {}).epoch);
  expect(new Set(epochs).size).toBe(1000);
  const random = epochs.map((epoch) => epoch.slice(11));
  expect(random.every((bits) => /^[0-9a-f]{16}$/.test(bits))).toBe(true);
});

describe('isDeliveryId', () => {
  it('knows its own, to the last of an epoch', () => {
    const { ids } = makeIds();
    expect(isDeliveryId(ids.next())).toBe(true);
    expect(isDeliveryId(`${ids.epoch}-${EPOCH_JOBS - 1}`)).toBe(true);
  });

  const epoch = 'a'.repeat(27);
  it.each([
    ['a seq that would make a larger bitmap', `${epoch}-${EPOCH_JOBS}`],
    ['a seq of 512 MiB', `${epoch}-4294967295`],
    ['a negative seq', `${epoch}--1`],
    ['a seq with a leading zero', `${epoch}-01`],
    ['a fraction', `${epoch}-1.5`],
    ['an exponent', `${epoch}-1e3`],
    ['no seq', `${epoch}-`],
    ['no dash', `${epoch}0`],
    ['a shorter epoch', `${epoch.slice(1)}-0`],
    ['a longer epoch', `${epoch}a-0`],
    ['upper case', `${epoch.toUpperCase()}-0`],
    ['a line break', `${epoch}-0\n`],
    ['a UUID', '018bcfe5-6800-7aaa-8aaa-aaaaaaaaaaaa'],
    ['a ULID', '01HF7YAT00AAAAAAAAAAAAAAAA'],
    ['a stream id', '1700000000000-0'],
    ['nothing', ''],
  ])('refuses %s', (_, id) => {
    expect(isDeliveryId(id)).toBe(false);
  });
});

describe('seqIn', () => {
  const epoch = '018bcfe5680aaaaaaaaaaaaaaaa';
  const takenApart = (id: string) =>
    isDeliveryId(id) && parseDeliveryId(id).epoch === epoch ? parseDeliveryId(id).seq : undefined;

  it.each([
    ...[
      '0',
      '1',
      '9',
      '10',
      '1048575',
      '1048576',
      '9999999',
      '10000000',
      '00',
      '01',
      '-1',
      '+1',
      '1.0',
      '1e3',
    ],
    ...['', ' ', ' 1', '1 ', '1\n', '1a', 'a1', '٣', '0x1', '1/', '1:', '-', '1-1'],
  ])('says of %j in its epoch what taking it apart says', (seq) => {
    expect(seqIn(epoch, `${epoch}-${seq}`)).toBe(takenApart(`${epoch}-${seq}`));
  });

  it.each([
    ['', '-1'],
    ['', ''],
    ['', `${epoch}-1`],
    [epoch, ''],
    [epoch, epoch],
    [epoch, `${epoch}1`],
    [epoch, `${epoch}b-1`],
    [epoch, `${epoch.toUpperCase()}-1`],
    [epoch, `018bcfe5680bbbbbbbbbbbbbbbb-1`],
    [epoch, `order-${epoch}-1`],
  ])('knows no id of %j in %j', (epoch, id) => {
    expect(seqIn(epoch, id)).toBeUndefined();
  });

  it('says of any id what taking it apart says', () => {
    const tail = fc.oneof(fc.nat(2 ** 21).map(String), fc.string({ maxLength: 9 }));
    fc.assert(
      fc.property(tail, (seq) => {
        expect(seqIn(epoch, `${epoch}-${seq}`)).toBe(takenApart(`${epoch}-${seq}`));
      }),
      { numRuns: 2000 },
    );
  });
});
