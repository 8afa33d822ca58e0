import { parseArgs } from 'node:util';
import { type DiagnoseOptions, diagnose } from '../doctor/diagnose.js';
import type { DoctorReport } from '../doctor/doctor-report.js';
import { formatReport } from '../doctor/format-report.js';
import { doctorTransports } from '../doctor/needed-rights.js';
import { NoClientError } from '../doctor/open-client.js';
import { type ConnectionConfig, parseTarget } from '../doctor/target.js';
import type { Command, CommandIo } from './command.js';
import { makeCommand } from './make-command.js';
import { isConfigFile, readConfig } from './read-config.js';
import { sayWrongCall } from './say-wrong-call.js';

const help = `Usage: resilient-queue doctor [options] [url | config.json]

Examines a Redis and the way to it: connection, resources, logs, configuration,
network, high availability. Says of each check what it found, what is expected,
and what to do. It writes one key that expires after a minute, and changes
nothing else.

  url                 redis://user:password@host:6379/0, rediss://… for TLS, or
                      host:port; without one, the variable REDIS_URL, which,
                      unlike an argument, nobody sees in a list of processes
  config.json         a file with { host, port, username, password, db, tls },
                      where tls is true or what node:tls takes
                      ({ "ca": "-----BEGIN CERTIFICATE…" })

  --queue <name>      write the canary beside this queue's keys (for users with
                      few rights)
  --transport <name>  whose rights are needed: streams (the default), rq, bullmq
  --tls               speak TLS, as rediss:// does
  --timeout <ms>      the most each stage of connecting and each command may
                      take; default 5000
  --json              the report as JSON
  --strict            let warnings fail, too
  --show-target       print host, port and database, but never the password
  --help              this

Give the URL of a Sentinel to have quorum and primary examined.

Exit code: 0 all is well, or there are warnings only; 1 something is wrong (also
when Redis cannot be reached: the report says why), or with --strict there is a
warning; 2 a wrong call, or no Redis client is installed to look with.
`;

/** `resilient-queue doctor <url | config.json>`. */
export const doctorCommand: Command = makeCommand({
  name: 'doctor',
  summary: 'examine a Redis and the way to it, and say what to do',
  help,
  readCall,
  carryOut,
});

async function carryOut({ target, isJson, isStrict, options }: Call, io: CommandIo): Promise<number> {
  let report: DoctorReport;
  try {
    report = await diagnose(target, options);
  } catch (error) {
    if (error instanceof NoClientError) io.err(`${error.message}\n`);
    else if (error instanceof RangeError) io.err(sayWrongCall('doctor', error));
    else throw error;
    return 2;
  }
  io.out(isJson ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report, io));
  return report.verdict === 'fail' || (isStrict && report.verdict === 'warn') ? 1 : 0;
}

interface Call {
  readonly target: ConnectionConfig;
  readonly options: DiagnoseOptions;
  readonly isJson: boolean;
  readonly isStrict: boolean;
}

/** Undefined: only help is wanted. Throws for a wrong call. No argument is quoted: it may be a URL. */
function readCall(args: readonly string[], env: CommandIo['env']): Call | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      queue: { type: 'string' },
      transport: { type: 'string' },
      tls: { type: 'boolean' },
      timeout: { type: 'string' },
      json: { type: 'boolean' },
      strict: { type: 'boolean' },
      'show-target': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  const [url = env.REDIS_URL, ...rest] = positionals;
  if (rest.length > 0) throw new TypeError('One URL at a time, please.');
  if (!url) throw new TypeError('Which Redis? Give its URL, or set REDIS_URL.');
  const timeoutMs = values.timeout === undefined ? undefined : Number(values.timeout);
  if (timeoutMs !== undefined && !(timeoutMs > 0))
    throw new TypeError('--timeout takes a number of milliseconds above 0.');
  const transport = doctorTransports.find((name) => name === (values.transport ?? 'streams'));
  if (!transport) throw new TypeError(`--transport takes one of ${doctorTransports.join(', ')}.`);
  const address = parseTarget(isConfigFile(url) ? readConfig(url) : url);
  return {
    target: values.tls && !address.tls ? { ...address, tls: true } : address,
    options: { timeoutMs, transport, queueName: values.queue, showTarget: values['show-target'] },
    isJson: values.json ?? false,
    isStrict: values.strict ?? false,
  };
}
