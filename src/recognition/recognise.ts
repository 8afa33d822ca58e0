import { randomBytes } from 'node:crypto';
import type { JobRecord } from '../job/job-record.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import { parseDeliveryId } from './delivery-id.js';
import type { QueueKeys } from './queue-keys.js';
import { runScript, type Script } from './script.js';

/** How a transport writes its jobs' own arguments for the script it made with `recognitionScript()`. */
export interface Layout {
  /** The transport's key: KEYS[1]. */
  readonly key: string;
  readonly script: Script;
  /** Whether the job needs the full form for another reason than a caller's id. */
  isFull(job: JobRecord): boolean;
  /** Appends the job's own arguments: as many as the script was told for this form. */
  write(args: string[], job: JobRecord, full: boolean): void;
}

/**
 * What became of one job: `delivered` (laid down now), `recognised` (this delivery had been laid down before), `duplicate`
 * (another delivery holds the caller's id), or refused with Redis's error.
 */
export type DeliveryOutcome = 'delivered' | 'recognised' | 'duplicate' | { readonly rejected: Error };

/** What became of a batch. */
export interface Delivery {
  /** One for each job, in order. */
  readonly outcomes: readonly DeliveryOutcome[];
  /** Whether the server still had the delivery that was named as witness; undefined when none was. */
  readonly witness: 'kept' | 'lost' | undefined;
}

/** Somebody else's reply, or none of ours: the client's connection is out of step, so this batch's fate is unknown. */
export class ReplyMismatchError extends Error {
  override readonly name = 'ReplyMismatchError';
  readonly code = 'RSQ_REPLY_MISMATCH';

  constructor() {
    super(
      'The reply does not belong to the batch that was sent: the client has lost step with its connection.',
    );
  }
}

const echoPrefix = randomBytes(6).toString('base64url');
let echoes = 0;

/** A batch's own id, to be found again in its reply. */
export function nextEcho(): string {
  echoes += 1;
  return `${echoPrefix}.${echoes}`;
}

/** Delivers `jobs` through recognition, in one script. Rejects as the client does, and with {@link ReplyMismatchError}. */
export async function recognise(
  connection: RedisConnection,
  keys: QueueKeys,
  layout: Layout,
  jobs: readonly JobRecord[],
  callerMs: number,
  witness: string | undefined,
): Promise<Delivery> {
  const echo = nextEcho();
  const epochs: string[] = [];
  const places = new Map<string, number>();
  const placeOf = (epoch: string): number => {
    let place = places.get(epoch);
    if (place === undefined) {
      place = epochs.push(epoch);
      places.set(epoch, place);
    }
    return place;
  };

  const runs: string[] = [];
  const markers: string[] = [];
  // A run is cut as soon as anything but the payload and the next number differs: the usual batch is a single one.
  let countAt = -1;
  let count = 0;
  let runEpoch = '';
  let nextSeq = -1;
  let runEnqueuedAt = -1;
  let runFull = false;
  for (const job of jobs) {
    const { epoch, seq } = parseDeliveryId(job.delivery);
    const callers = job.id !== job.delivery;
    const full = callers || layout.isFull(job);
    if (seq !== nextSeq || epoch !== runEpoch || job.enqueuedAt !== runEnqueuedAt || full !== runFull) {
      if (countAt >= 0) runs[countAt] = String(count);
      countAt = runs.length;
      count = 0;
      runEpoch = epoch;
      runEnqueuedAt = job.enqueuedAt;
      runFull = full;
      runs.push('', String(placeOf(epoch)), String(seq), String(job.enqueuedAt), full ? '1' : '0');
    }
    count += 1;
    nextSeq = seq + 1;
    layout.write(runs, job, full);
    if (full) runs.push(callers ? job.id : '');
    if (callers) markers.push(keys.marker(job.id));
  }
  runs[countAt] = String(count);

  const seen = witness === undefined ? undefined : parseDeliveryId(witness);
  const witnessPlace = seen === undefined ? 0 : placeOf(seen.epoch);
  const reply = await runScript(
    connection,
    layout.script,
    [layout.key, keys.epochs, ...epochs.map(keys.seen), ...markers],
    [
      echo,
      String(epochs.length),
      String(witnessPlace),
      String(seen?.seq ?? 0),
      String(callerMs),
      ...epochs,
      ...runs,
    ],
  );
  return readReply(reply, echo, jobs.length);
}

function readReply(reply: unknown, echo: string, jobs: number): Delivery {
  if (!Array.isArray(reply) || String(reply[0]) !== echo) throw new ReplyMismatchError();
  const letters = String(reply[2]);
  if (letters.length !== jobs) throw new ReplyMismatchError();
  let refusal = 3;
  const outcomes: DeliveryOutcome[] = new Array(jobs);
  for (let i = 0; i < jobs; i++) {
    const letter = letters[i];
    if (letter === 'l') outcomes[i] = 'delivered';
    else if (letter === 'r') outcomes[i] = 'recognised';
    else if (letter === 'd') outcomes[i] = 'duplicate';
    else outcomes[i] = { rejected: new RefusedByScript(String(reply[refusal++])) };
  }
  const bit = String(reply[1]);
  return { outcomes, witness: bit === '1' ? 'kept' : bit === '0' ? 'lost' : undefined };
}

/** Redis's answer to one job inside a script; its message is the wire text, so it sorts like a reply of the client's. */
class RefusedByScript extends Error {
  override readonly name = 'ReplyError';
}
