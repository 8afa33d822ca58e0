import { expect, it } from 'vitest';
import { callOf } from '../../../../src/transport/rq/python-call.js';
import type { JsonValue } from '../../../../src/transport/rq/python-value.js';

it.each<[string, JsonValue, readonly JsonValue[], Readonly<Record<string, JsonValue>>]>([
  ['a list', [1, [2]], [1, [2]], {}],
  ['both', { args: [1], kwargs: { a: 2 } }, [1], { a: 2 }],
  ['only args', { args: [1] }, [1], {}],
  ['only kwargs', { kwargs: { args: [1] } }, [], { args: [1] }],
  ['neither', {}, [], {}],
  ['a payload left out', null, [], {}],
])('takes %s as the arguments of a call', (_, payload, args, kwargs) => {
  expect(callOf(payload)).toEqual({ args, kwargs });
});

it.each<[string, JsonValue]>([
  ['text', 'args'],
  ['a number', 1],
  ['a boolean', true],
  ['an object of another kind', { question: 'why' }],
  ['one with something more', { args: [], question: 'why' }],
  ['args that are none', { args: 'a' }],
  ['kwargs that are none', { kwargs: ['a'] }],
  ['kwargs of null', { kwargs: null }],
])('takes %s for no call', (_, payload) => {
  expect(callOf(payload)).toBeUndefined();
});
