import { describe, expect, it } from 'vitest';
import { isResilientQueueError } from '../../../src/index.js';
import { encodePayload } from '../../../src/job/codec.js';
import { thrownBy } from '../support/thrown.js';

const MIB = 1024 * 1024;

it.each([
  [undefined, 'null'],
  [null, 'null'],
  [0, '0'],
  ['', '""'],
  [Number.NaN, 'null'],
  [{ a: [1, { b: 'ü' }], gone: undefined }, '{"a":[1,{"b":"ü"}]}'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [{ toJSON: () => 'own' }, '"own"'],
])('writes %o as JSON', (payload, text) => {
  expect(encodePayload(payload, MIB)).toBe(text);
});

it('writes text that reads back the same, whatever characters it has', () => {
  const payload = 'a\u0000b\u2028"\\\n\ud83d\ude00 €';
  expect(JSON.parse(encodePayload(payload, MIB))).toBe(payload);
});

it('escapes lone surrogates, which UTF-8 cannot hold', () => {
  const text = encodePayload('x\ud800y\udc00', MIB);
  expect(text.isWellFormed()).toBe(true);
  expect(JSON.parse(Buffer.from(text).toString())).toBe('x\ud800y\udc00');
});

const circular: Record<string, unknown> = { name: 'secret' };
circular.self = circular;
// An array in an array … will not do: from Node 26 on, JSON.stringify() writes plain values of any depth.
const endless = { toJSON: (): unknown => JSON.stringify(endless) };

describe('a payload that JSON cannot hold', () => {
  it.each([
    ['circular', circular],
    ['a BigInt', 1n],
    ['a BigInt inside', { n: [1n] }],
    ['a function', () => 1],
    ['a symbol', Symbol('secret')],
    ['a class', class Secret {}],
    ['a toJSON() that throws', { toJSON: () => JSON.parse('secret') }],
    ['a toJSON() that gives nothing', { toJSON: () => undefined }],
    [
      'a getter that throws',
      {
        get secret() {
          throw new Error('secret');
        },
      },
    ],
    ['too deep for the stack', endless],
  ])('is PAYLOAD_INVALID, and nothing of it is told: %s', (_, payload) => {
    const error = thrownBy(() => encodePayload(payload, MIB));
    expect(isResilientQueueError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'PAYLOAD_INVALID', fate: 'not-delivered' });
    expect((error as Error).message).not.toContain('secret');
    expect((error as Error).cause).toBeUndefined();
  });
});

describe('the limit', () => {
  it.each([
    ['a', 1],
    ['ü', 2],
    ['€', 3],
    ['😀', 4],
    ['\ud800', 6],
  ])('counts bytes of UTF-8: %s is %i', (character, bytes) => {
    const payload = character.repeat(100);
    const size = 2 + 100 * bytes;
    expect(Buffer.byteLength(encodePayload(payload, size))).toBe(size);
    expect(() => encodePayload(payload, size - 1)).toThrow(`${size} bytes`);
  });

  it('takes 1 MiB to the byte and not one more', () => {
    expect(encodePayload('x'.repeat(MIB - 2), MIB)).toHaveLength(MIB);
    expect(thrownBy(() => encodePayload('x'.repeat(MIB - 1), MIB))).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      fate: 'not-delivered',
    });
  });
});
