import type { JobRecord } from '../../job/job-record.js';
import type { ParkedJob } from '../backup-store.js';
import { damagedJob } from './damaged-job.js';
import { readJobText } from './job-text.js';
import { seal, unseal } from './sealed-row.js';

/** What a parked job's row says beside its bytes. */
interface ParkedNote {
  readonly id: string;
  readonly reason: string;
  readonly parkedAt: number;
  readonly attemptedAt?: number | undefined;
  /** The bytes are what is left of it. */
  readonly isDamaged?: boolean | undefined;
}

const LENGTH_BYTES = 4;

export function parkedRow(key: Buffer, note: ParkedNote, body: Buffer): Buffer {
  const text = Buffer.from(JSON.stringify(note));
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  length.writeUInt32LE(text.length, 0);
  return seal(key, Buffer.concat([length, text, body]));
}

/** `isWhole` is false for what stands in for a damaged job; `findId` is asked for its id where the row does not say it any more. */
export function readParkedRow(
  queue: string,
  key: Buffer,
  row: Buffer,
  findId: () => string | undefined,
): { readonly parked: ParkedJob; readonly isWhole: boolean } {
  const content = unseal(key, row);
  if (content === undefined) {
    const job = damagedJob(queue, findId() ?? `damaged-${key.toString('hex')}`);
    return { parked: { job, reason: 'damaged', parkedAt: 0 }, isWhole: false };
  }
  const end = LENGTH_BYTES + content.readUInt32LE(0);
  const note: ParkedNote = JSON.parse(content.toString('utf8', LENGTH_BYTES, end));
  const { reason, parkedAt } = note;
  if (note.isDamaged)
    return { parked: { job: damagedJob(queue, note.id), reason, parkedAt }, isWhole: false };
  const job = asAttempted(readJobText(content.subarray(end)), note.attemptedAt);
  return { parked: { job, reason, parkedAt }, isWhole: true };
}

/** The record with the time of its first attempt, unless it has one. */
export function asAttempted(job: JobRecord, attemptedAt: number | undefined): JobRecord {
  if (attemptedAt === undefined || job.lastAttemptAt !== undefined) return job;
  return { ...job, lastAttemptAt: attemptedAt };
}
