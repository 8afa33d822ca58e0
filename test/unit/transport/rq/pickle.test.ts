import { expect, it } from 'vitest';
import { pickle } from '../../../../src/transport/rq/pickle.js';
import type { JsonValue } from '../../../../src/transport/rq/python-value.js';

// As Python's pickletools.dis() reads them; test/workers/rq has Python read thousands more.
it.each<[JsonValue, string]>([
  [null, '80 02 4e 2e'],
  [true, '80 02 88 2e'],
  [false, '80 02 89 2e'],
  [1, '80 02 4a 01 00 00 00 2e'],
  [-(2 ** 31), '80 02 4a 00 00 00 80 2e'],
  [2 ** 31, '80 02 8a 08 00 00 00 80 00 00 00 00 2e'],
  [Number.MIN_SAFE_INTEGER, '80 02 8a 08 01 00 00 00 00 00 e0 ff 2e'],
  [0.5, '80 02 47 3f e0 00 00 00 00 00 00 2e'],
  [1e21, '80 02 47 44 4b 1a e4 d6 e2 ef 50 2e'],
  ['ž', '80 02 58 02 00 00 00 c5 be 2e'],
  [[], '80 02 5d 28 65 2e'],
  [{ a: [null] }, '80 02 7d 28 58 01 00 00 00 61 5d 28 4e 65 75 2e'],
])('writes %j in protocol 2', (value, expected) => {
  expect(pickle(value).toString('hex').match(/../g)?.join(' ')).toBe(expected);
});
