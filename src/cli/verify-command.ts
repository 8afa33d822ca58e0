import { parseArgs } from 'node:util';
import { scrub } from '../errors/scrub.js';
import { isVerifiable, type VerifiableTransport } from '../ledger/evidence/evidence-of.js';
import { verify } from '../ledger/verify.js';
import type { Command, CommandIo } from './command.js';
import { makeCommand } from './make-command.js';
import { openBackups } from './open-backup.js';
import { openClient } from './open-client.js';
import { plain } from './plain.js';
import { printVerdict } from './print-verdict.js';

const summary = 'prove by a ledger of accepted jobs that none was lost or doubled';

const help = `Usage: resilient-queue verify --queue <name> --ledger <file> [options]

Holds a ledger of accepted jobs against Redis and the backup: was anything lost
or doubled? It only reads, and the queue may be at work meanwhile. The ledger is
what writeLedger() wrote, or a store's export (a JobRecord a line); give the
files of all processes with this queue, also of those that only replayed.

  --queue <name>        the queue
  --ledger <file>       a ledger; several times for several files
  --redis <url>         the primary that the queue writes to; default: the
                        variable REDIS_URL, which, unlike an argument, nobody
                        sees in a list of processes. Needs ioredis or redis
                        installed
  --transport <name>    how jobs are laid down: streams, rq or bullmq; default:
                        what the ledger says
  --backup-lmdb <path>  the folder of the queue's LmdbBackupStore, as the user
                        that the service runs as; several times where each
                        process has its own. Needs lmdb installed
  --backup-gone         the backup was in the memory of processes that have
                        ended: what it held is gone
  --generated-days <n>  how long Redis remembers deliveries; default: what the
                        ledger says, else 7, with bullmq 1
  --caller-hours <n>    how long it remembers ids that callers gave; default:
                        what the ledger says, else 24
  --bullmq-prefix <p>   the prefix of BullMQ's keys; default bull
  --ids <n>             how many ids are named of each kind; default 20
  --json                the report as JSON
  --help                this

Exit code: 0 nothing lost or doubled; 1 something is; 2 that could not be found
out, or a wrong call.
`;

const options = {
  queue: { type: 'string' },
  ledger: { type: 'string', multiple: true },
  redis: { type: 'string' },
  transport: { type: 'string' },
  'backup-lmdb': { type: 'string', multiple: true },
  'backup-gone': { type: 'boolean', default: false },
  'generated-days': { type: 'string' },
  'caller-hours': { type: 'string' },
  'bullmq-prefix': { type: 'string' },
  ids: { type: 'string', default: '20' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** `resilient-queue verify`: 0 nothing lost or doubled, 1 something is, 2 it could not be found out or the call was wrong. */
export const verifyCommand: Command = makeCommand({ name: 'verify', summary, help, readCall, carryOut });

async function carryOut(call: Call, io: CommandIo): Promise<number> {
  try {
    return await look(call, io);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    io.err(`Nothing could be found out: ${plain(scrub(text))}\n`);
    return 2;
  }
}

async function look(
  { url, backupPaths, isBackupGone, isJson, ...asked }: Call,
  io: CommandIo,
): Promise<number> {
  await using backups = await openBackups(backupPaths);
  await using client = await openClient(url);
  const seen = backupPaths.length > 0 ? backups.stores : isBackupGone ? 'gone' : undefined;
  const report = await verify({ ...asked, redis: client.redis, backup: seen });
  if (isJson) io.out(`${JSON.stringify(report, undefined, 2)}\n`);
  else io.out(printVerdict(report, io.hasColours));
  if (report.counts.lost > 0 || report.counts.doubled > 0) return 1;
  return report.isProven ? 0 : 2;
}

/** What was asked for. */
interface Call {
  readonly queue: string;
  readonly ledger: readonly string[];
  readonly url: string;
  readonly transport: VerifiableTransport | undefined;
  readonly backupPaths: readonly string[];
  readonly isBackupGone: boolean;
  readonly isJson: boolean;
  readonly examples: number;
  readonly bullMqPrefix: string | undefined;
  readonly recognition: { readonly generatedMs: number | undefined; readonly callerMs: number | undefined };
}

/** Undefined: only help is wanted. Throws for a wrong call. */
function readCall(args: readonly string[], env: CommandIo['env']): Call | undefined {
  const { values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
  if (values.help) return undefined;
  const { queue, ledger = [], redis = env.REDIS_URL, transport } = values;
  if (!queue) throw new TypeError('--queue <name> is missing.');
  if (ledger.length === 0) throw new TypeError('--ledger <file> is missing.');
  if (!redis) throw new TypeError('--redis <url> is missing, and so is the variable REDIS_URL.');
  if (transport !== undefined && !isVerifiable(transport)) {
    throw new TypeError(`--transport must be streams, rq or bullmq, got "${scrub(transport)}".`);
  }
  const backupPaths = [...new Set(values['backup-lmdb'] ?? [])];
  if (values['backup-gone'] && backupPaths.length > 0) {
    throw new TypeError('--backup-gone and --backup-lmdb exclude each other.');
  }
  return {
    ...{ queue, ledger, url: redis, transport },
    backupPaths,
    isBackupGone: values['backup-gone'],
    isJson: values.json,
    examples: idsOf(values.ids),
    bullMqPrefix: values['bullmq-prefix'],
    recognition: {
      generatedMs: windowOf('generated-days', values['generated-days'], DAY_MS),
      callerMs: windowOf('caller-hours', values['caller-hours'], HOUR_MS),
    },
  };
}

function idsOf(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new TypeError(`--ids must be a whole number below a million, got "${scrub(text)}".`);
}

/** A second at least. */
function windowOf(name: string, text: string | undefined, unit: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = Math.round(Number(text) * unit);
  if (text.trim() !== '' && Number.isSafeInteger(ms) && ms >= 1000) return ms;
  throw new TypeError(`--${name} must be a number above 0, got "${scrub(text)}".`);
}
