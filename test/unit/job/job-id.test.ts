import { describe, expect, it } from 'vitest';
import { isResilientQueueError } from '../../../src/index.js';
import { checkJobId } from '../../../src/job/job-id.js';
import { thrownBy } from '../support/thrown.js';

it.each(['a', ' ', '~', 'order:42/{x}', '任務-1', '😀', 'é'.repeat(128), 'x'.repeat(256), '😀'.repeat(64)])(
  'takes %s',
  (id) => {
    expect(() => checkJobId(id)).not.toThrow();
  },
);

describe('ID_INVALID', () => {
  it.each([
    ['empty', '', 'an empty string'],
    ['257 bytes', 'x'.repeat(257), '257 bytes'],
    ['258 bytes in 129 characters', 'é'.repeat(129), '258 bytes'],
    ['260 bytes in 65 characters', '😀'.repeat(65), '260 bytes'],
    ['a null byte', 'a\u0000', 'control characters'],
    ['a line break at the end', 'a\n', 'control characters'],
    ['a tab', '\t', 'control characters'],
    ['DEL', 'a\u007f', 'control characters'],
    ['a control character of Latin-1', 'a\u0085', 'control characters'],
    ['a lone surrogate', 'a\ud800', 'not valid UTF-8'],
    ['a pair the wrong way round', '\ude00\ud83d', 'not valid UTF-8'],
    ['a number', 7, 'type number'],
    ['null', null, 'type object'],
    ['an object', { id: 'a' }, 'type object'],
  ])('says what was wrong: %s', (_, id, got) => {
    const error = thrownBy(() => checkJobId(id));
    expect(isResilientQueueError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'ID_INVALID', fate: 'not-delivered' });
    expect((error as Error).message).toContain('options.id');
    expect((error as Error).message).toContain('1 to 256 bytes');
    expect((error as Error).message).toContain(got);
  });
});
