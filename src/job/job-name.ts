import { ResilientQueueError } from '../errors/resilient-queue-error.js';

const MAX_NAME_BYTES = 256;

/** Throws `NAME_INVALID` unless `name` is 1 to 256 bytes of well-formed text. */
export function checkJobName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name.length > 0 && name.isWellFormed()) {
    if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return;
  }
  const got =
    typeof name === 'string' ? `a string of ${name.length} characters` : `a value of type ${typeof name}`;
  throw new ResilientQueueError(
    `The job's name must be 1 to ${MAX_NAME_BYTES} bytes of well-formed text, got ${got}.`,
    { code: 'NAME_INVALID', fate: 'not-delivered' },
  );
}
