import { JOB_NAME, payloadOf } from './job.js';

// As long as a delivery id, so that the entries are of the same size.
const PREFIX = `${'0'.repeat(27)}-`;

/** The fields of the n-th job's entry, as a service without the library would write them. */
export function rawEntry(n: number) {
  return {
    id: PREFIX + n,
    name: JOB_NAME,
    payload: JSON.stringify(payloadOf(n)),
    enqueuedAt: String(Date.now()),
  };
}
