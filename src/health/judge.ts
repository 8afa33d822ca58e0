import { type HealthReport, type HealthStatus, isEnding } from './health-report.js';
import type { HealthProbe, ProbeStatus, QueueHealth } from './health-result.js';
import type { QueueSight } from './queue-watch.js';
import { NO_CONNECTION, REDIS_IS_UP } from './redis-message.js';

/** The probes that look at queues. */
export type QueueProbe = Exclude<HealthProbe, 'liveness'>;

interface Verdict {
  readonly status: ProbeStatus;
  readonly message: string;
}

const isAlive: Verdict = { status: 'pass', message: 'The process is alive' };
const hasStarted: Verdict = { status: 'pass', message: 'Every queue takes jobs, or has' };
const isStarting: Verdict = { status: 'fail', message: 'Not every queue can take jobs yet' };
const redisIsUp: Verdict = { status: 'pass', message: REDIS_IS_UP };
const redisIsDown: Verdict = { status: 'fail', message: NO_CONNECTION };
const isClosed: Verdict = { status: 'fail', message: 'A queue is closed' };
const cannotSay: Verdict = { status: 'fail', message: 'A queue cannot say how it is' };

const ready: Readonly<Record<HealthStatus, Verdict>> = {
  up: { status: 'pass', message: 'Jobs go to Redis' },
  recovering: { status: 'warn', message: 'Redis is back, and the backlog is being replayed' },
  degraded: { status: 'warn', message: 'Jobs wait in the backup until Redis takes them' },
  down: { status: 'fail', message: 'Neither Redis nor the backup takes jobs' },
};

/** Worst last. */
const verdicts: readonly Verdict[] = [
  isAlive,
  hasStarted,
  redisIsUp,
  ready.up,
  ready.recovering,
  ready.degraded,
  ready.down,
  redisIsDown,
  isClosed,
  isStarting,
  cannotSay,
];

/** What is said where no queue is looked at: of liveness, and of a startup that is over. */
export const alive = isAlive;
export const started = hasStarted;

function judgeQueue(probe: QueueProbe, { report, isRedisWritable }: QueueSight): Verdict {
  if (probe === 'redis') return isRedisWritable ? redisIsUp : redisIsDown;
  if (!report) return cannotSay;
  if (isEnding(report)) return isClosed;
  if (probe === 'startup') return canTakeJobs(report, isRedisWritable) ? hasStarted : isStarting;
  return ready[report.status];
}

/** A queue is `up` or `recovering` also before the first outage is noticed: what is said once for all has to be true. */
function canTakeJobs({ status, backup }: HealthReport, isRedisWritable: boolean): boolean {
  return status !== 'down' && (isRedisWritable || backup.writable);
}

/** The worst queue's verdict wins. `withDetails`: what is not for strangers is added. */
export function judge(
  probe: QueueProbe,
  sights: readonly QueueSight[],
  withDetails: boolean,
): Verdict & { readonly queues: readonly QueueHealth[] } {
  let worst = -1;
  const queues = sights.map((sight): QueueHealth => {
    const verdict = judgeQueue(probe, sight);
    worst = Math.max(worst, verdicts.indexOf(verdict));
    return {
      queue: sight.queue,
      status: verdict.status,
      state: sight.report?.status,
      redis: { reachable: sight.isRedisReachable, writable: sight.isRedisWritable },
      backup: sight.backup,
      ...(withDetails && { report: sight.report, error: sight.error?.message }),
    };
  });
  return { ...(verdicts[worst] as Verdict), queues };
}
