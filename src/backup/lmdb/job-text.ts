import type { JobRecord } from '../../job/job-record.js';
import { recordBytes } from '../record-bytes.js';

const LENGTH_BYTES = 4;
/** In the length: the payload is inside the JSON. */
const INSIDE = 0x8000_0000;

/** A payload from so many characters on is kept apart from the JSON, which spares it from being quoted and parsed. */
const APART_FROM = 2048;

/** A job on its way to bytes: its record as JSON, and a large payload beside it. */
export interface JobText {
  readonly rest: string;
  readonly restBytes: number;
  /** Undefined: it is in `rest`. */
  readonly payload: string | undefined;
  /** Of all. */
  readonly bytes: number;
}

export function jobText(job: JobRecord): JobText {
  const payload = isApart(job.payload) ? job.payload : undefined;
  const rest = JSON.stringify(payload === undefined ? job : { ...job, payload: undefined });
  const restBytes = Buffer.byteLength(rest);
  const payloadBytes = payload === undefined ? 0 : Buffer.byteLength(payload);
  return { rest, restBytes, payload, bytes: LENGTH_BYTES + restBytes + payloadBytes };
}

export function writeJobText(text: JobText, target: Buffer, at: number): void {
  const { rest, restBytes, payload } = text;
  target.writeUInt32LE(payload === undefined ? restBytes + INSIDE : restBytes, at);
  target.write(rest, at + LENGTH_BYTES);
  if (payload !== undefined) target.write(payload, at + LENGTH_BYTES + restBytes);
}

/** The record that `body` was written from. */
export function readJobText(body: Buffer): JobRecord {
  const length = body.readUInt32LE(0);
  const isInside = length >= INSIDE;
  const end = LENGTH_BYTES + (isInside ? length - INSIDE : length);
  const record = JSON.parse(body.toString('utf8', LENGTH_BYTES, end));
  if (!isInside) record.payload = body.toString('utf8', end);
  return record;
}

function isApart(payload: unknown): payload is string {
  // A lone surrogate has no UTF-8; JSON has a way to write it.
  return typeof payload === 'string' && payload.length >= APART_FROM && payload.isWellFormed();
}

/** What a job counts for in the queue's bytes; nothing, where its version has another shape than ours. */
export function countedBytes(job: JobRecord): number {
  return typeof job.payload === 'string' && typeof job.name === 'string' ? recordBytes(job) : 0;
}
