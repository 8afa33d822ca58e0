import type { HealthReport } from '../../health/health-report.js';
import { type Check, type Finding, fail, notApplicable, pass, warn } from '../check.js';
import { duration, percent } from './words.js';

const HOUR_MS = 3_600_000;
/** `recognition.generatedMs` less an hour: an unknown job that waited for longer is parked. */
const RECOGNISED_MS = 7 * 24 * HOUR_MS - HOUR_MS;

/** A check of what the queue says of itself. */
const ofQueue = (
  what: string,
  title: string,
  reads: string,
  threshold: string,
  judge: (report: HealthReport) => Finding,
): Check => ({
  id: `backup.${what}`,
  group: 'backup',
  title,
  reads: `queue.health(): ${reads}`,
  threshold,
  source: 'README: Health and events',
  examine({ queue }) {
    if (!queue) throw notApplicable('No queue was given');
    return judge(queue.health());
  },
});

export const backupChecks: readonly Check[] = [
  ofQueue('breaker', 'Breaker', 'breaker', 'closed', ({ breaker }) => {
    if (breaker === 'closed') return pass(breaker);
    if (breaker === 'isolated')
      return warn(breaker, 'It is held open by hand (isolate()): dispose() when the work is done.');
    return fail(breaker, 'Redis does not take writes, as far as the queue knows: see what fails above.');
  }),
  ofQueue('writable', 'Backup takes jobs', 'backup.writable', 'true', ({ backup }) =>
    backup.writable
      ? pass('yes')
      : fail(
          'no',
          'During an outage enqueue() would reject: look for a full disk, a lost database, or a full backup.',
        ),
  ),
  ofQueue(
    'pending',
    'Jobs waiting in the backup',
    'backup.pending / backup.capacity',
    'at most half of the capacity; above 90 % it fails',
    ({ backup: { pending, capacity } }) => {
      const share = capacity > 0 ? pending / capacity : 0;
      const value = `${pending} of ${capacity} (${percent(share)})`;
      if (share <= 0.5) return pass(value, pending);
      const remedy =
        'Mend Redis before the backup is full: then enqueue() rejects with BACKUP_FULL. backupLimit raises it.';
      return share <= 0.9 ? warn(value, remedy, pending) : fail(value, remedy, pending);
    },
  ),
  ofQueue(
    'oldest',
    'Oldest job waiting',
    'backup.oldestAt',
    'at most an hour; beyond 7 days less an hour it fails',
    ({ backup: { oldestAt } }) => {
      if (oldestAt === undefined) return pass('none');
      const age = Date.now() - oldestAt;
      const value = `for ${duration(age)}`;
      if (age <= HOUR_MS) return pass(value, age);
      const remedy = 'Find out why it is not replayed: replay(), then parked jobs and `error` events.';
      return age <= RECOGNISED_MS ? warn(value, remedy, age) : fail(value, remedy, age);
    },
  ),
  ofQueue('parked', 'Jobs parked', 'backup.parked', 'none', ({ backup: { parked } }) =>
    parked === 0
      ? pass('none', 0)
      : warn(
          String(parked),
          'Each needs a person: look at its reason, mend it, and unpark or remove it.',
          parked,
        ),
  ),
  ofQueue(
    'durability',
    'Backup survives',
    'backup.durability',
    'this process',
    ({ backup: { durability } }) =>
      durability === 'memory'
        ? warn(
            "only Redis's outages: memory",
            'Use LmdbBackupStore, or another durable store: a restart during an outage loses what waits.',
          )
        : pass(durability),
  ),
];
