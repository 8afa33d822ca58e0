import { ResilientQueueError } from '../errors/resilient-queue-error.js';

const MAX_ID_BYTES = 256;
const plain = /^[\x20-\x7e]{1,256}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const control = /[\u0000-\u001f\u007f-\u009f]/;

/** Throws `ID_INVALID` unless `id` is 1 to 256 bytes of valid UTF-8 without control characters. */
export function checkJobId(id: unknown): asserts id is string {
  if (typeof id !== 'string') refuse(`a value of type ${typeof id}`);
  // Nearly every id is plain ASCII, and one test settles it.
  if (plain.test(id)) return;
  if (id === '') refuse('an empty string');
  if (control.test(id)) refuse('one with control characters');
  if (!id.isWellFormed()) refuse('one that is not valid UTF-8 (a lone surrogate)');
  if (Buffer.byteLength(id) > MAX_ID_BYTES) refuse(`one of ${Buffer.byteLength(id)} bytes`);
}

function refuse(got: string): never {
  throw new ResilientQueueError(
    `options.id must be 1 to ${MAX_ID_BYTES} bytes of valid UTF-8 without control characters, got ${got}.`,
    { code: 'ID_INVALID', fate: 'not-delivered' },
  );
}
