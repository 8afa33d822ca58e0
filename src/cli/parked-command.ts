import { parseArgs } from 'node:util';
import type { BackupAdmin } from '../backup/backup-store.js';
import { scrub } from '../errors/scrub.js';
import { changeParked, type ParkedAction } from './change-parked.js';
import type { Command, CommandIo } from './command.js';
import { makeCommand } from './make-command.js';
import { openBackup } from './open-backup.js';
import { type AdminStore, parkedPages, type Selection, wordOf } from './parked-pages.js';
import { plain } from './plain.js';
import { jobLines, jsonLine, printParked, type ReasonGroup, reasonWords } from './print-parked.js';

const summary = 'show the jobs that wait for a person; put them back, or remove them';

const help = `Usage: resilient-queue parked [options] <folder>

Shows the parked jobs of a backup: those that could not be delivered and wait
for a person, who puts them back in line (--unpark) or removes them (--remove).
Without one of these it changes nothing.

  <folder>           that of the service's LmdbBackupStore. Services may be at
                     work on it; run this as their user and, where they are in a
                     container, in that container. Needs lmdb installed

  --queue <name>     only jobs of this queue
  --id <id>          only the job of this id; several times for several jobs
  --reason <reason>  only jobs parked for this reason; several times for several
  --limit <n>        how many jobs are shown for each reason; default 20
  --payload          show payloads, too
  --json             one line of JSON a job, all of them without --limit:
                     { job, reason, parkedAt }. Without --payload the job has
                     neither payload nor headers nor transport options

  --unpark           put back, at the end of those that wait; a service that
                     runs replays them, knowing again what had been laid down
  --may-run-twice    with --unpark: send them all the same if Redis may have
                     forgotten whether they were laid down
                     (recognition-expired): one that was runs twice. Without it
                     these stay parked
  --remove           remove for good, and print what was removed
  --all              with --unpark or --remove: all of them, or all of the
                     --reason, in place of --id

  --help             this

Exit code: 0 none is parked, or what was asked for is done; 1 some are parked,
or some of what was asked for was left out; 2 that could not be found out or
done, or a wrong call. Each job is put back or removed whole: after a call that
ended midway, call again.
`;

const options = {
  queue: { type: 'string' },
  id: { type: 'string', multiple: true },
  reason: { type: 'string', multiple: true },
  limit: { type: 'string' },
  payload: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  unpark: { type: 'boolean', default: false },
  'may-run-twice': { type: 'boolean', default: false },
  remove: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** `resilient-queue parked`: 0 none is parked, or it is done; 1 some are parked, or were left out; 2 it could not be done. */
export const parkedCommand: Command = makeCommand({ name: 'parked', summary, help, readCall, carryOut });

async function carryOut(call: Call, io: CommandIo): Promise<number> {
  try {
    await using backup = openBackup(call.folder);
    const queues = await queuesOf(backup.store.admin, call);
    const { action } = call;
    if (action === 'show') return await show(backup.store, queues, call, io);
    return await changeParked(backup.store, queues, { ...call, action }, io);
  } catch (error) {
    // As it is: what the store says has the folder in it, which was given here, and no address.
    io.err(`${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

/** The queues to look at. Throws for one that is not in the backup, and where it is not clear whose jobs are to be changed. */
async function queuesOf(admin: BackupAdmin, { queue, action }: Call): Promise<readonly string[]> {
  const known = await admin.queues();
  const names = known.map((name) => plain(JSON.stringify(name))).join(', ');
  if (queue !== undefined && !known.includes(queue)) {
    const has = known.length > 0 ? `it has ${names}` : 'it never had a job';
    throw new Error(`The backup knows no queue ${plain(JSON.stringify(queue))}: ${has}.`);
  }
  if (queue !== undefined) return [queue];
  if (action !== 'show' && known.length > 1) throw new Error(`Say by --queue which of its queues: ${names}.`);
  return known;
}

async function show(
  store: AdminStore,
  queues: readonly string[],
  { selection, limit, withPayload, isJson }: Call,
  io: CommandIo,
): Promise<number> {
  let isAnyParked = false;
  for (const queue of queues) {
    const groups = new Map<string, ReasonGroup>();
    for await (const page of parkedPages(store, queue, selection)) {
      let lines = '';
      for (const job of page) {
        const word = wordOf(job);
        const group = groups.get(word) ?? { count: 0, shown: 0, lines: [] };
        groups.set(word, group);
        group.count += 1;
        if (group.shown === limit) continue;
        group.shown += 1;
        if (isJson) lines += jsonLine(job, withPayload);
        else group.lines.push(...jobLines(job, withPayload));
      }
      await io.out(lines);
    }
    if (!isJson) io.out(printParked(queue, groups));
    isAnyParked ||= groups.size > 0;
  }
  if (queues.length === 0 && !isJson) io.out('This backup never had a job.\n');
  return isAnyParked ? 1 : 0;
}

/** What was asked for. */
interface Call {
  readonly folder: string;
  readonly action: 'show' | ParkedAction;
  readonly queue: string | undefined;
  readonly selection: Selection;
  readonly mayRunTwice: boolean;
  /** Of each reason. */
  readonly limit: number;
  readonly withPayload: boolean;
  readonly isJson: boolean;
}

/** Undefined: only help is wanted. Throws for a wrong call. What is no option is not quoted: it may be an address. */
function readCall(args: readonly string[]): Call | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [folder, ...rest] = positionals;
  if (!folder) throw new TypeError('Which backup? Give the folder of the LmdbBackupStore.');
  if (rest.length > 0) throw new TypeError('One folder at a time, please.');
  if (folder.includes('://'))
    throw new TypeError('The folder of an LmdbBackupStore is wanted, not an address.');
  const unknown = values.reason?.find((reason) => !reasonWords.some((word) => word === reason));
  if (unknown !== undefined)
    throw new TypeError(`--reason must be one of ${reasonWords.join(', ')}, got "${plain(scrub(unknown))}".`);
  return {
    folder,
    action: actionOf(values),
    queue: values.queue,
    selection: { ids: values.id, reasons: values.reason },
    mayRunTwice: values['may-run-twice'],
    limit: limitOf(values.limit) ?? (values.json ? Number.POSITIVE_INFINITY : 20),
    withPayload: values.payload,
    isJson: values.json,
  };
}

/** Nothing is put back or removed without saying which jobs, or all. */
function actionOf(values: ReturnType<typeof parse>['values']): Call['action'] {
  const { unpark, remove, all, id, limit } = values;
  if (unpark && remove) throw new TypeError('--unpark and --remove exclude each other.');
  if (values['may-run-twice'] && !unpark) throw new TypeError('--may-run-twice goes with --unpark.');
  if (!unpark && !remove) {
    if (all) throw new TypeError('--all goes with --unpark or --remove.');
    return 'show';
  }
  const action = unpark ? 'unpark' : 'remove';
  if (all === (id !== undefined)) throw new TypeError(`--${action} needs either --id <id> or --all.`);
  if (limit !== undefined) throw new TypeError(`--limit is for looking: --${action} would not stop at it.`);
  return action;
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new TypeError('--limit must be a whole number.');
}
