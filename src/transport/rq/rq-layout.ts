import type { JobRecord } from '../../job/job-record.js';
import type { Layout } from '../../recognition/recognise.js';
import type { Argument } from '../../redis/redis-connection.js';
import type { Encoding } from './encoding.js';
import type { RqJobOptions } from './job-options.js';
import type { JsonValue } from './python-value.js';
import { type RqKeys, rqJobKey } from './queue-keys.js';
import { DEFAULT_TIMEOUT_SECONDS, OPTIONAL_FIELDS, rqScripts } from './rq-script.js';
import { ttlEndsAt } from './ttl.js';

/** How jobs are written for the script, at `now` (epoch ms). */
export function rqLayout(keys: RqKeys, encoding: Encoding, now: number): Layout {
  return {
    key: keys.queue,
    sharedKeys: keys.shared,
    keyOf: rqJobKey,
    scripts: rqScripts,
    isFull: ({ transportOptions, runAt }) => transportOptions !== undefined || runAt !== undefined,
    write(args, job, full, keyFromEnd) {
      const options = (job.transportOptions ?? {}) as RqJobOptions;
      const createdAt = new Date(job.enqueuedAt).toISOString();
      args.push(String(keyFromEnd), encoding.call(job), createdAt, options.description ?? job.name);
      if (full) args.push(...extras(job, options, encoding, now));
    },
  };
}

/** The arguments that only a full job has. `''`: none. */
function extras(job: JobRecord, options: RqJobOptions, encoding: Encoding, now: number): Argument[] {
  const dueAt = dueAtSeconds(job, now);
  const ttl = timeToLive(job, dueAt, now);
  const { retry, meta, timeoutSeconds, atFront = false } = options;
  const fields: Readonly<Record<(typeof OPTIONAL_FIELDS)[number], Argument>> = {
    ttl: ttl.field,
    result_ttl: text(options.resultTtlSeconds),
    failure_ttl: text(options.failureTtlSeconds),
    retries_left: text(retry?.max),
    retry_intervals: retry === undefined ? '' : JSON.stringify([retry.intervalSeconds ?? 0].flat()),
    meta: meta === undefined || Object.keys(meta).length === 0 ? '' : encoding.value(meta as JsonValue),
    // Read by the scheduler.
    enqueue_at_front: atFront && dueAt !== undefined ? '1' : '',
  };
  return [
    text(timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS),
    ttl.ms,
    text(dueAt),
    atFront ? 'LPUSH' : 'RPUSH',
    job.id === job.delivery ? '' : '1',
    ...OPTIONAL_FIELDS.map((field) => fields[field]),
  ];
}

/** The second in which the scheduler may run it, never early; undefined for a job that is due: that needs no scheduler. */
function dueAtSeconds({ runAt = 0 }: JobRecord, now: number): number | undefined {
  return runAt > now ? Math.ceil(runAt / 1000) : undefined;
}

/**
 * What is left of a job's `ttlSeconds`: in ms, for its key, and in the field that RQ takes for the key's next expiry when it puts
 * the job in line again. Relative, because this clock and that of Redis may differ.
 *
 * A job that waits for the scheduler gets its expiry from it, and none before: RQ 1 never forgets the id of a scheduled job that
 * has expired, and a thousand of those stop it.
 */
function timeToLive(job: JobRecord, dueAt: number | undefined, now: number): { ms: string; field: string } {
  const endsAt = ttlEndsAt(job);
  if (endsAt === undefined) return { ms: '', field: '' };
  const ms = Math.max(1, Math.ceil(endsAt - (dueAt === undefined ? now : dueAt * 1000)));
  return { ms: dueAt === undefined ? String(ms) : '', field: String(Math.ceil(ms / 1000)) };
}

function text(value: number | string | undefined): string {
  return value === undefined ? '' : String(value);
}
