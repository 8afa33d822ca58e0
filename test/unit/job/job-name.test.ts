import { describe, expect, it } from 'vitest';
import { isResilientQueueError } from '../../../src/index.js';
import { checkJobName } from '../../../src/job/job-name.js';
import { thrownBy } from '../support/thrown.js';

it.each(['a', 'faq.generate', '任務', 'x'.repeat(256), 'é'.repeat(128)])('takes %s', (name) => {
  expect(() => checkJobName(name)).not.toThrow();
});

describe('NAME_INVALID', () => {
  it.each([
    ['empty', ''],
    ['257 bytes', 'x'.repeat(257)],
    ['258 bytes in 129 characters', 'é'.repeat(129)],
    ['a lone surrogate', 'a\udc00'],
    ['a number', 7],
    ['undefined', undefined],
    ['null', null],
    ['a String object', Object('a')],
  ])('says what is expected: %s', (_, name) => {
    const error = thrownBy(() => checkJobName(name));
    expect(isResilientQueueError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'NAME_INVALID', fate: 'not-delivered' });
    expect((error as Error).message).toContain('1 to 256 bytes');
  });
});
