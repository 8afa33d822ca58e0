import type { JobRecord } from '../job/job-record.js';
import type { RedisGateway } from '../policy/redis-gateway.js';
import { parseDeliveryId } from '../recognition/delivery-id.js';

const none: ReadonlySet<JobRecord> = new Set();

/**
 * Asks Redis which of `jobs`, given in their order, one behind them has passed: it was laid down, they were not. So it is after an
 * attempt that refused the first of its jobs, and whose answer nobody heard. Rejects with a `RedisFailure`.
 */
export async function findPassed(
  gateway: Pick<RedisGateway, 'ask' | 'askHolders'>,
  jobs: readonly JobRecord[],
  timeoutMs: number,
): Promise<ReadonlySet<JobRecord>> {
  const deliveries = jobs.map(({ delivery }) => delivery);
  const verdicts = await gateway.ask(deliveries, timeoutMs);
  const passed: JobRecord[] = [];
  // By epoch, the last that was laid down: one that was enqueued earlier has its place behind the others for another reason.
  const lastKept = new Map<string, number>();
  for (let i = jobs.length - 1; i >= 0; i--) {
    const job = jobs[i] as JobRecord;
    const { epoch, seq } = parseDeliveryId(job.delivery);
    const last = lastKept.get(epoch) ?? -1;
    if (verdicts[i] === 'kept') lastKept.set(epoch, Math.max(last, seq));
    else if (verdicts[i] === 'lost' && last > seq && mayHaveBeenSent(job)) passed.push(job);
  }
  if (passed.length === 0) return none;
  // A duplicate is not laid down either, and has nothing to do with order.
  const callers = passed.filter(({ id, delivery }) => id !== delivery);
  if (callers.length === 0) return new Set(passed);
  const ids = callers.map(({ id }) => id);
  const holders = await gateway.askHolders(ids, timeoutMs);
  const duplicates = new Set(
    callers.filter(({ delivery }, i) => holders[i] !== '' && holders[i] !== delivery),
  );
  return new Set(passed.filter((job) => !duplicates.has(job)));
}

/** What nobody sent, Redis cannot have refused. */
function mayHaveBeenSent({ fate, lastAttemptAt }: JobRecord): boolean {
  return fate === 'unknown' || lastAttemptAt !== undefined;
}
