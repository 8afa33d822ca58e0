import type { KeyRange } from './tree.js';

/**
 * What is in the tree. A key is its kind (1 byte), the queue's number (4 bytes, big-endian) and what is named here; so each
 * queue's rows of a kind stand together, in order.
 */
const kinds = Object.freeze({
  /** No more. The version of this format. */
  format: 1,
  /** The queue's name, in place of its number. Its number and figures. */
  queue: 2,
  /** The bundle's number. Jobs that were appended together. */
  bundle: 16,
  /** The bundle's number. What became of its jobs, once not all fare alike. */
  marks: 17,
  /** The id that a caller gave the job. Where it is. */
  place: 18,
  /** The place of the parked job. The job, with its reason. */
  parked: 19,
  /** The token's text. Which jobs are held, and for how long. */
  lease: 20,
  /** An epoch, and which run of its ids. Where the jobs of these ids are. */
  run: 21,
});

type KindOfQueue = 'bundle' | 'marks' | 'place' | 'parked' | 'lease' | 'run';

const PREFIX_BYTES = 5;
const RUN_BYTES = 4;

/** A job's place in the store: a bundle's number, and which of the bundle's jobs it is. */
export interface Place {
  readonly bundle: number;
  readonly index: number;
}

export const formatKey = Buffer.from([kinds.format]);

export function queueKey(name: string): Buffer {
  return Buffer.concat([Buffer.from([kinds.queue]), Buffer.from(name)]);
}

export const everyQueue: KeyRange = {
  start: Buffer.from([kinds.queue]),
  end: Buffer.from([kinds.queue + 1]),
};

export function queueOfKey(key: Buffer): string {
  return key.toString('utf8', 1);
}

export function bundleKey(queue: number, bundle: number): Buffer {
  return numberKey('bundle', queue, bundle);
}

export function marksKey(queue: number, bundle: number): Buffer {
  return numberKey('marks', queue, bundle);
}

export function bundleOfKey(key: Buffer): number {
  return key.readUIntBE(PREFIX_BYTES, 6);
}

/** With `room` bytes after it, for what is to stand there. */
export function placeKey(queue: number, id: string, room = 0): Buffer {
  return textKey('place', queue, id, room);
}

export function leaseKey(queue: number, token: string): Buffer {
  return textKey('lease', queue, token);
}

export function textOfKey(key: Buffer): string {
  return key.toString('utf8', PREFIX_BYTES);
}

/** `run` counts an epoch's runs of ids from 0. */
export function runKey(queue: number, epoch: string, run: number): Buffer {
  const key = textKey('run', queue, epoch, RUN_BYTES);
  key.writeUInt32BE(run, key.length - RUN_BYTES);
  return key;
}

export function runOfKey(key: Buffer): { readonly epoch: string; readonly run: number } {
  const end = key.length - RUN_BYTES;
  return { epoch: key.toString('utf8', PREFIX_BYTES, end), run: key.readUInt32BE(end) };
}

export function parkedKey(queue: number, { bundle, index }: Place): Buffer {
  const key = Buffer.allocUnsafe(PREFIX_BYTES + 7);
  writePrefix(key, 'parked', queue);
  key.writeUIntBE(bundle, PREFIX_BYTES, 6);
  key[PREFIX_BYTES + 6] = index;
  return key;
}

export function placeOfParkedKey(key: Buffer): Place {
  return { bundle: bundleOfKey(key), index: key[PREFIX_BYTES + 6] as number };
}

/** Every row of a kind that a queue has, beginning at `from` where that is given. */
export function rowsOf(kind: KindOfQueue, queue: number, from?: Buffer): KeyRange {
  const start = Buffer.allocUnsafe(PREFIX_BYTES);
  writePrefix(start, kind, queue);
  const end = Buffer.allocUnsafe(PREFIX_BYTES);
  writePrefix(end, kind, queue + 1);
  return { start: from ?? start, end };
}

function numberKey(kind: KindOfQueue, queue: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(PREFIX_BYTES + 6);
  writePrefix(key, kind, queue);
  key.writeUIntBE(number, PREFIX_BYTES, 6);
  return key;
}

function textKey(kind: KindOfQueue, queue: number, text: string, room = 0): Buffer {
  const key = Buffer.allocUnsafe(PREFIX_BYTES + Buffer.byteLength(text) + room);
  writePrefix(key, kind, queue);
  key.write(text, PREFIX_BYTES);
  return key;
}

function writePrefix(key: Buffer, kind: KindOfQueue, queue: number): void {
  key[0] = kinds[kind];
  key.writeUInt32BE(queue, 1);
}
