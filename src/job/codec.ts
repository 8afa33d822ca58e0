import { ResilientQueueError } from '../errors/resilient-queue-error.js';

/**
 * The payload as JSON text, `null` for a payload left out. Throws `PAYLOAD_INVALID` when JSON cannot hold it and
 * `PAYLOAD_TOO_LARGE` over `maxBytes` of UTF-8.
 */
export function encodePayload(payload: unknown, maxBytes: number): string {
  if (payload === undefined) return 'null';
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch {
    // The engine's message names the payload's properties, so it does not travel as `cause`.
    throw new ResilientQueueError(
      'The payload cannot be written as JSON: it is circular, holds a BigInt, or its toJSON() throws.',
      { code: 'PAYLOAD_INVALID', fate: 'not-delivered' },
    );
  }
  if (text === undefined) {
    throw new ResilientQueueError(`The payload cannot be written as JSON: it is a ${typeof payload}.`, {
      code: 'PAYLOAD_INVALID',
      fate: 'not-delivered',
    });
  }
  // A UTF-16 unit is at most three bytes of UTF-8: most payloads need no second pass over their text.
  if (text.length * 3 > maxBytes) {
    const bytes = Buffer.byteLength(text);
    if (bytes > maxBytes) {
      throw new ResilientQueueError(
        `The payload is ${bytes} bytes of JSON, over maxPayloadBytes (${maxBytes}). Store it elsewhere and enqueue a reference.`,
        { code: 'PAYLOAD_TOO_LARGE', fate: 'not-delivered' },
      );
    }
  }
  return text;
}
