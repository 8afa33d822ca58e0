import { parseArgs } from 'node:util';
import { scrub } from '../errors/scrub.js';
import type { VerifiableTransport } from '../ledger/evidence/evidence-of.js';
import { verify } from '../ledger/verify.js';
import type { Command, CommandIo } from './command.js';
import { openBackup } from './open-backup.js';
import { openClient } from './open-client.js';
import { printVerdict } from './print-verdict.js';

const summary = 'hold a ledger of accepted jobs against Redis and the backup: was anything lost or doubled?';

const help = `Usage: resilient-queue verify --queue <name> --ledger <file> [options]

Holds a ledger of accepted jobs against Redis and the backup: was anything lost or doubled?
It only reads, and the queue may be at work meanwhile. The ledger is what writeLedger() wrote, or a store's
export (a JobRecord a line); give the files of all processes that accepted jobs.

  --queue <name>         the queue
  --ledger <file>        a ledger; several times for several files
  --redis <url>          the primary that the queue writes to; default: the variable REDIS_URL, which, unlike
                         an argument, nobody sees in a list of processes. Needs ioredis or redis installed
  --transport <name>     how jobs are laid down: streams (default), rq or bullmq
  --backup-lmdb <path>   the folder of the queue's LmdbBackupStore, as the user that the service runs as; needs
                         lmdb installed
  --backup-gone          the backup was in the memory of processes that have ended: what it held is gone
  --generated-days <n>   how long Redis remembers deliveries; default 7, with bullmq 1
  --caller-hours <n>     how long it remembers ids that callers gave; default 24
  --bullmq-prefix <p>    the prefix of BullMQ's keys; default bull
  --ids <n>              how many ids are named of each kind; default 20
  --json                 the report as JSON
  --help                 this

Exit code: 0 nothing lost or doubled · 1 something is · 2 that could not be found out, or a wrong call.
`;

const options = {
  queue: { type: 'string' },
  ledger: { type: 'string', multiple: true },
  redis: { type: 'string' },
  transport: { type: 'string', default: 'streams' },
  'backup-lmdb': { type: 'string' },
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
export const verifyCommand: Command = { name: 'verify', summary, help, run };

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  let call: Call | undefined;
  try {
    call = readCall(args, io.env);
  } catch (error) {
    io.err(`${wrongCall(error)}\nresilient-queue verify --help says how it is called.\n`);
    return 2;
  }
  if (!call) {
    io.out(help);
    return 0;
  }
  try {
    return await look(call, io);
  } catch (error) {
    io.err(`Nothing could be found out: ${textOf(error)}\n`);
    return 2;
  }
}

/** An argument that nobody expects is not quoted: it may be an address with a password. */
function wrongCall(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL')
    return 'Unexpected argument: everything is given by options.';
  return textOf(error);
}

async function look(
  { url, backupPath, isBackupGone, isJson, ...asked }: Call,
  io: CommandIo,
): Promise<number> {
  await using backup = backupPath === undefined ? undefined : openBackup(backupPath);
  await using client = await openClient(url);
  const seen = backup?.store ?? (isBackupGone ? 'gone' : undefined);
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
  readonly transport: VerifiableTransport;
  readonly backupPath: string | undefined;
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
  if (transport !== 'streams' && transport !== 'rq' && transport !== 'bullmq') {
    throw new TypeError(`--transport must be streams, rq or bullmq, got "${transport}".`);
  }
  if (values['backup-gone'] && values['backup-lmdb'] !== undefined) {
    throw new TypeError('--backup-gone and --backup-lmdb exclude each other.');
  }
  return {
    ...{ queue, ledger, url: redis, transport },
    backupPath: values['backup-lmdb'],
    isBackupGone: values['backup-gone'],
    isJson: values.json,
    examples: numberOf('ids', values.ids) ?? 20,
    bullMqPrefix: values['bullmq-prefix'],
    recognition: {
      generatedMs: times(numberOf('generated-days', values['generated-days']), DAY_MS),
      callerMs: times(numberOf('caller-hours', values['caller-hours']), HOUR_MS),
    },
  };
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number) && number >= 0) return number;
  throw new TypeError(`--${name} must be a number, got "${text}".`);
}

function times(number: number | undefined, unit: number): number | undefined {
  return number === undefined ? undefined : number * unit;
}

function textOf(error: unknown): string {
  return scrub(error instanceof Error ? error.message : String(error));
}
