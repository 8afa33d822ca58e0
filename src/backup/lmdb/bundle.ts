import { crc32 } from 'node:zlib';
import { type JobText, writeJobText } from './job-text.js';

/** How many jobs fit into a bundle. */
export const BUNDLE_JOBS = 256;
const BUNDLE_BYTES = 1024 * 1024;

// Checksum of all that follows (4 bytes), how many jobs there are (4); length and checksum of each (4 + 4); the jobs.
const CHECKSUM_BYTES = 4;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 8;

/**
 * Jobs that are kept as one value, because they came together: that is a fraction of the work of a value each. Cut so that
 * no value gets too large; one large job alone is one.
 */
export function cutBundles<T extends { readonly text: JobText }>(jobs: readonly T[]): T[][] {
  const bundles: T[][] = [];
  let bundle: T[] = [];
  let bytes = 0;
  for (const job of jobs) {
    if (bundle.length === BUNDLE_JOBS || (bundle.length > 0 && bytes + job.text.bytes > BUNDLE_BYTES)) {
      bundles.push(bundle);
      bundle = [];
      bytes = 0;
    }
    bundle.push(job);
    bytes += job.text.bytes;
  }
  if (bundle.length > 0) bundles.push(bundle);
  return bundles;
}

export function writeBundle(jobs: readonly { readonly text: JobText }[]): Buffer {
  let at = HEADER_BYTES + jobs.length * ENTRY_BYTES;
  const bundle = Buffer.allocUnsafe(jobs.reduce((sum, { text }) => sum + text.bytes, at));
  bundle.writeUInt32LE(jobs.length, CHECKSUM_BYTES);
  jobs.forEach(({ text }, index) => {
    const end = at + text.bytes;
    writeJobText(text, bundle, at);
    const entry = HEADER_BYTES + index * ENTRY_BYTES;
    bundle.writeUInt32LE(text.bytes, entry);
    bundle.writeUInt32LE(crc32(bundle.subarray(at, end)), entry + 4);
    at = end;
  });
  bundle.writeUInt32LE(crc32(bundle.subarray(CHECKSUM_BYTES)), 0);
  return bundle;
}

/** A stored bundle, job by job. */
export interface Bundle {
  /** How many jobs were written. */
  readonly count: number;
  readonly bytes: number;
  /** The bytes of a job; undefined when they fail their checksum. */
  body(index: number): Buffer | undefined;
  /** What is left of a job, for whoever wants to look at it. */
  remains(index: number): Buffer;
}

/** `countOfDamaged` is asked how many jobs there were, where the bundle does not say, or not what is true. */
export function readBundle(value: Buffer, countOfDamaged: () => number): Bundle {
  const isWhole =
    value.length > HEADER_BYTES && crc32(value.subarray(CHECKSUM_BYTES)) === value.readUInt32LE(0);
  const count = isWhole || doLengthsAddUp(value) ? value.readUInt32LE(CHECKSUM_BYTES) : countOfDamaged();
  const ends: number[] = [];
  let at = HEADER_BYTES + count * ENTRY_BYTES;
  for (let index = 0; index < count && at <= value.length; index++) {
    at += value.readUInt32LE(HEADER_BYTES + index * ENTRY_BYTES);
    ends.push(at);
  }
  const remains = (index: number) =>
    value.subarray(ends[index - 1] ?? HEADER_BYTES + count * ENTRY_BYTES, ends[index] ?? value.length);
  return {
    count,
    bytes: value.length,
    remains,
    body(index) {
      const body = remains(index);
      if (isWhole) return body;
      const isSound =
        index < ends.length &&
        body.length > 0 &&
        crc32(body) === value.readUInt32LE(HEADER_BYTES + index * ENTRY_BYTES + 4);
      return isSound ? body : undefined;
    },
  };
}

/** Then the damage is in the jobs themselves: no other count than the true one makes the lengths of so many add up. */
function doLengthsAddUp(value: Buffer): boolean {
  if (value.length < HEADER_BYTES) return false;
  const count = value.readUInt32LE(CHECKSUM_BYTES);
  let bytes = HEADER_BYTES + count * ENTRY_BYTES;
  for (let index = 0; index < count && bytes <= value.length; index++)
    bytes += value.readUInt32LE(HEADER_BYTES + index * ENTRY_BYTES);
  return count > 0 && bytes === value.length;
}
