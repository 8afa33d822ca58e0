import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { pythonProblem } from '../../../../src/transport/rq/python-value.js';

const problemOf = (given: unknown) => pythonProblem(JSON.parse(JSON.stringify(given)), given, 'payload');

describe('what Python gets as it was given', () => {
  it.each<[string, unknown]>([
    ['nothing', [null, undefined]],
    ['booleans and text', [true, false, '', 'ž 😀', '\u0000']],
    ['whole numbers that JSON holds', [0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
    ['floats', [0.1, 5e-324, Number.MAX_VALUE, -1e21]],
    ['a date, as text', [new Date(0)]],
    ['what toJSON() makes of it', [{ n: Number.NaN, toJSON: () => ({ n: null }) }]],
    ['an object without a prototype', [Object.assign(Object.create(null), { a: 1 })]],
    ['an object of another realm', [runInNewContext('({ a: { b: [1] } })')]],
    ['undefined, which an object may leave out', { kwargs: { a: undefined, b: 1 } }],
    ['what cannot be enumerated', [Object.defineProperty({}, 'f', { value: () => 1 })]],
    ['a function with a toJSON()', [{ f: Object.assign(() => 1, { toJSON: () => 'f' }) }]],
    [
      'an instance with a toJSON()',
      [
        new (class {
          toJSON = () => ({ n: 1 });
        })(),
      ],
    ],
    ['200 levels', nested(199)],
  ])('%s', (_, given) => {
    expect(problemOf(given)).toBeUndefined();
  });
});

describe('what Python would get otherwise, by its place', () => {
  it.each<[string, unknown, string]>([
    ['NaN', [1, Number.NaN], 'payload[1] is nothing that JSON can hold'],
    ['an infinite number', { a: [Number.NEGATIVE_INFINITY] }, 'payload.a[0] is nothing that JSON can hold'],
    ['a wrapped NaN', [Object(Number.NaN)], 'payload[0] is nothing'],
    ['a function', [() => 1], 'payload[0] is nothing'],
    ['a symbol', [Symbol('secret')], 'payload[0] is nothing'],
    ['a function in an object', { kwargs: { callback: () => 1 } }, 'payload.kwargs.callback is or has'],
    ['a symbol in an object', [{ a: { b: Symbol('secret') } }], 'payload[0].a.b is or has'],
    ['a symbol for a key', [{ [Symbol('secret')]: 1 }], 'payload[0][…] is or has'],
    ['a Set for a payload', new Set([1]), 'payload is neither a list nor a plain object'],
    ['a Set', [new Set([1])], 'payload[0] is neither'],
    ['a Map', { kwargs: { map: new Map([['a', 1]]) } }, 'payload.kwargs.map is neither'],
    ['a promise', [Promise.resolve(1)], 'payload[0] is neither'],
    ['an error', [new Error('secret')], 'payload[0] is neither'],
    ['a regular expression', [/secret/], 'payload[0] is neither'],
    [
      'an instance of a class',
      [
        new (class {
          readonly a = 1;
        })(),
      ],
      'payload[0] is neither',
    ],
    ['a typed array', [new Float64Array([0.5])], 'payload[0] is bytes'],
    ['a buffer', [Buffer.from('secret')], 'payload[0] is bytes'],
    ['an ArrayBuffer', [new ArrayBuffer(1)], 'payload[0] is neither'],
    ['an invalid date', { kwargs: { at: new Date(Number.NaN) } }, 'payload.kwargs.at is nothing'],
    ['a whole number that has lost digits', [[2 ** 53]], 'payload[0][0] is a whole number beyond'],
    ['another', { kwargs: { id: -(2 ** 60) } }, 'payload.kwargs.id is a whole number beyond'],
    ['the last of them', [1e21 - 2 ** 17], 'payload[0] is a whole number beyond'],
    ['half a character', ['ok', '\ud800'], 'payload[1] is no valid Unicode'],
    ['a key that is half a character', [{ '\udc00': 1 }], 'payload[0] has a key that is no valid Unicode'],
    ['a place whose name is data', [{ 'a@example.org': Number.NaN }], 'payload[0][…] is nothing'],
    ['201 levels', nested(200), 'payload[0][0][0][0][0][0][0][0][0][0] is more than 200 levels deep'],
  ])('%s', (_, given, expected) => {
    expect(problemOf(given)).toMatch(
      expected.endsWith('deep') ? expected : new RegExp(`^${escaped(expected)}`),
    );
  });

  it('a number beyond all that JSON text may hold', () => {
    expect(pythonProblem(JSON.parse('[1e400]'), undefined, 'payload')).toBe(
      'payload[0] is not a finite number',
    );
  });

  it('without the value', () => {
    expect(problemOf([2 ** 53 + 2])).not.toContain('9007199254740994');
  });
});

function nested(levels: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

function escaped(text: string): string {
  return text.replace(/[[\]().]/g, '\\$&');
}
