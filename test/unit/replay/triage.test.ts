import { describe, expect, it } from 'vitest';
import { JOB_RECORD_VERSION, type JobRecord } from '../../../src/index.js';
import { triage } from '../../../src/replay/triage.js';
import { jobRecord } from '../support/job-record.js';

const HOUR_MS = 3_600_000;
const WINDOW_MS = 24 * HOUR_MS;
const NOW = 1_700_000_000_000;

const verdictOn = (fields: Partial<JobRecord>) =>
  triage(jobRecord(fields), { now: NOW, transport: 'streams', recognitionMs: WINDOW_MS });

const send = { action: 'send' };
const drop = { action: 'drop', reason: 'expired' };
const parkFor = (reason: string) => ({ action: 'park', reason });

it('sends a job that was never sent, however old', () => {
  expect(verdictOn({ enqueuedAt: 0 })).toEqual(send);
});

it.each([JOB_RECORD_VERSION + 1, JOB_RECORD_VERSION - 1])('parks a record of version %i', (version) => {
  expect(verdictOn({ version })).toEqual(parkFor('unknown-version'));
});

it('parks a job whose payload is not what is expected today, with what is wrong', () => {
  const payloadProblem = ({ name }: JobRecord) => (name === 'old' ? 'it does not fit' : undefined);
  const context = { now: NOW, transport: 'streams', recognitionMs: WINDOW_MS, payloadProblem };
  expect(triage(jobRecord({ name: 'old' }), context)).toEqual({
    ...parkFor('schema-mismatch'),
    text: 'it does not fit',
  });
  expect(triage(jobRecord({ name: 'new' }), context)).toEqual(send);
  expect(triage(jobRecord({ name: 'old', expiresAt: NOW - 1 }), context)).toEqual(drop);
});

it('parks a job of another transport', () => {
  expect(verdictOn({ transport: 'rq' })).toEqual(parkFor('foreign-transport'));
});

it('guesses nothing from a record that it cannot read: not even that it has expired', () => {
  expect(verdictOn({ version: 99, expiresAt: NOW - 1 })).toEqual(parkFor('unknown-version'));
});

describe('an expiry', () => {
  it.each([
    [NOW - 1, drop],
    [NOW, drop],
    [NOW + 1, send],
  ])('at %i', (expiresAt, verdict) => {
    expect(verdictOn({ expiresAt })).toEqual(verdict);
  });

  it('comes before the end of recognition: nobody wants the job any more', () => {
    expect(verdictOn({ expiresAt: NOW, fate: 'unknown', enqueuedAt: 0 })).toEqual(drop);
  });
});

describe('a job that may be laid down already', () => {
  // An hour before Redis may forget.
  const last = NOW - (WINDOW_MS - HOUR_MS);

  it('is sent up to an hour before the window ends, and parked afterwards', () => {
    expect(verdictOn({ fate: 'unknown', lastAttemptAt: last })).toEqual(send);
    expect(verdictOn({ fate: 'unknown', lastAttemptAt: last - 1 })).toEqual(parkFor('recognition-expired'));
  });

  it('counts from its last attempt, not from when it was enqueued', () => {
    expect(verdictOn({ fate: 'unknown', enqueuedAt: 0, lastAttemptAt: NOW })).toEqual(send);
  });

  it('counts from when it was enqueued if its last attempt is not noted', () => {
    expect(verdictOn({ fate: 'unknown', enqueuedAt: last })).toEqual(send);
    expect(verdictOn({ fate: 'unknown', enqueuedAt: last - 1 })).toEqual(parkFor('recognition-expired'));
  });

  it('may be one that a replayer was given and that was never heard of since', () => {
    expect(verdictOn({ fate: 'not-delivered', lastAttemptAt: last - 1 })).toEqual(
      parkFor('recognition-expired'),
    );
  });

  it('is sent when the clock was set back behind its last attempt', () => {
    expect(verdictOn({ fate: 'unknown', lastAttemptAt: NOW + WINDOW_MS })).toEqual(send);
  });
});
