import type { ParkedJob } from '../backup/backup-store.js';
import type { JobRecord } from '../job/job-record.js';
import { number } from './number.js';
import { type ReasonWord, wordOf } from './parked-pages.js';
import { plain } from './plain.js';

/** What is to be done about each reason. */
const advice: Readonly<Record<ReasonWord, string>> = {
  rejected: 'Redis refused them: remove the cause (rights, a key of another type), then --unpark.',
  'unlisted-error': 'nobody knows the error: read it, and --unpark once it is understood.',
  'recognition-expired':
    'they may have run, and Redis no longer knows. Look: --remove those that have, --unpark --may-run-twice the others.',
  'schema-mismatch':
    'an older release of the service enqueued them: mend the schema and --unpark, or enqueue them anew and --remove.',
  'foreign-transport':
    'the queue has another transport now: --unpark once a service with theirs replays, or enqueue them anew and --remove.',
  'unknown-version': 'another release of the library wrote them: --unpark once the service runs on it.',
  damaged: 'their bytes on the disk are damaged: enqueue them anew, and --remove.',
};

export const reasonWords = Object.keys(advice) as readonly ReasonWord[];

/** What is told of a job. Anything else may be what is in its payload. */
const told = [
  ...['version', 'queue', 'id', 'delivery', 'name', 'fate', 'lastAttemptAt', 'enqueuedAt'],
  ...['runAt', 'expiresAt', 'orderingKey', 'transport'],
];

/** A parked job as one line of JSON; without its payload, headers and transport options, unless they are asked for. */
export function jsonLine({ job, ...parked }: ParkedJob, withPayload: boolean): string {
  const fields = Object.entries(job).filter(([name]) => withPayload || told.includes(name));
  return `${plain(JSON.stringify({ job: Object.fromEntries(fields), ...parked }))}\n`;
}

/** A parked job for a person, in as many lines as there is to say. */
export function jobLines(parked: ParkedJob, withPayload: boolean): string[] {
  const { id, name, payload, enqueuedAt, expiresAt }: Partial<JobRecord> = parked.job;
  const times = [
    ['enqueued', enqueuedAt],
    ['parked', parked.parkedAt],
    ['expires', expiresAt],
  ] as const;
  const known = times.flatMap(([what, at]) => (isTime(at) ? [`${what} ${new Date(at).toISOString()}`] : []));
  const text = parked.reason.slice(wordOf(parked).length + 2);
  return [
    plain([id, name, known.join(', ')].join('  ')).trimEnd(),
    ...(text === '' ? [] : [`  ${plain(text)}`]),
    ...(withPayload ? [`  ${plain(String(payload))}`] : []),
  ];
}

/** What is parked for one reason. */
export interface ReasonGroup {
  count: number;
  /** How many of them are in `lines`. */
  shown: number;
  readonly lines: string[];
}

/** A queue's parked jobs for a person, by reason, and what to do. */
export function printParked(queue: string, groups: ReadonlyMap<string, ReasonGroup>): string {
  const total = [...groups.values()].reduce((sum, { count }) => sum + count, 0);
  const lines = [`Queue ${plain(JSON.stringify(queue))}, parked jobs: ${number(total)}`];
  for (const [word, { count, shown, lines: jobs }] of groups) {
    const which = count > shown ? `the first ${number(shown)} of ${number(count)}` : `all ${number(count)}`;
    lines.push('', `${plain(word)}, ${which}:`, ...jobs.map((line) => `  ${line}`));
  }
  const steps = reasonWords.filter((word) => groups.has(word)).map((word) => `  - ${word}: ${advice[word]}`);
  if (steps.length > 0) lines.push('', 'What to do next', ...steps);
  return `${lines.join('\n')}\n`;
}

/** A damaged job has none, one of another version may have anything. */
function isTime(at: unknown): at is number {
  return typeof at === 'number' && at > 0 && at <= 8.64e15;
}
