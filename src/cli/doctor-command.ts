import { parseArgs } from 'node:util';
import { type DiagnoseOptions, diagnose } from '../doctor/diagnose.js';
import type { DoctorReport } from '../doctor/doctor-report.js';
import { formatReport } from '../doctor/format-report.js';
import { doctorTransports } from '../doctor/needed-rights.js';
import { NoClientError } from '../doctor/open-client.js';
import { type ConnectionConfig, parseTarget } from '../doctor/target.js';
import type { Command, CommandIo } from './command.js';
import { isConfigFile, readConfig } from './read-config.js';

const help = `resilient-queue doctor [options] [url | config.json]

Examines a Redis and the way to it: connection, resources, logs, configuration, network,
high availability. Says of each check what it found, what is expected, and what to do.
It writes one key that expires after a minute, and changes nothing else.

  url                redis://user:password@host:6379/0, rediss://… for TLS, or host:port;
                     without one, the environment variable REDIS_URL, which, unlike an argument,
                     nobody sees in a list of processes
  config.json        a file with { host, port, username, password, db, tls }, where tls is true
                     or what node:tls takes ({ "ca": "-----BEGIN CERTIFICATE…" })

  --queue <name>     write the canary beside this queue's keys (for users with few rights)
  --transport <name> whose rights are needed: streams (the default), rq or bullmq
  --tls              speak TLS, as rediss:// does
  --timeout <ms>     the most each stage of connecting and each command may take (5000)
  --json             print the report as JSON
  --strict           let warnings fail, too
  --show-target      print host, port and database, but never the password
  --help             print this

Give the URL of a Sentinel to have quorum and primary examined.

Exit code: 0 all is well, or there are warnings only; 1 something is wrong (also when Redis
cannot be reached: the report says why), or with --strict there is a warning; 2 the command
was called wrongly, or no Redis client is installed to look with.
`;

/** `resilient-queue doctor <url | config.json>`. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'examine a Redis and the way to it, and say what to do',
  help,
  async run(args, io) {
    const call = readCall(args, io);
    if (typeof call === 'string') {
      io.err(mistake(call));
      return 2;
    }
    if (call === undefined) {
      io.out(help);
      return 0;
    }
    const { target, isJson, isStrict, options } = call;
    let report: DoctorReport;
    try {
      report = await diagnose(target, options);
    } catch (error) {
      if (error instanceof NoClientError) io.err(`${error.message}\n`);
      else if (error instanceof RangeError) io.err(mistake(error.message));
      else throw error;
      return 2;
    }
    io.out(isJson ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report, io));
    return report.verdict === 'fail' || (isStrict && report.verdict === 'warn') ? 1 : 0;
  },
};

interface Call {
  readonly target: ConnectionConfig;
  readonly options: DiagnoseOptions;
  readonly isJson: boolean;
  readonly isStrict: boolean;
}

/** What is asked for; undefined for the help; a sentence when it is a mistake. No argument is quoted: it may be a URL. */
function readCall(args: readonly string[], io: CommandIo): Call | string | undefined {
  try {
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
    const [url = io.env.REDIS_URL, ...rest] = positionals;
    if (rest.length > 0) return 'One URL at a time, please.';
    if (!url) return 'Which Redis? Give its URL, or set REDIS_URL.';
    const timeoutMs = values.timeout === undefined ? undefined : Number(values.timeout);
    if (timeoutMs !== undefined && !(timeoutMs > 0))
      return '--timeout takes a number of milliseconds above 0.';
    const transport = doctorTransports.find((name) => name === (values.transport ?? 'streams'));
    if (!transport) return `--transport takes one of ${doctorTransports.join(', ')}.`;
    const address = parseTarget(isConfigFile(url) ? readConfig(url) : url);
    return {
      target: values.tls && !address.tls ? { ...address, tls: true } : address,
      options: { timeoutMs, transport, queueName: values.queue, showTarget: values['show-target'] },
      isJson: values.json ?? false,
      isStrict: values.strict ?? false,
    };
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return sayMistake(error);
    throw error;
  }
}

function mistake(what: string): string {
  return `${what}\nSee: resilient-queue doctor --help\n`;
}

/** Node's own words for an unknown option quote it, with all that was glued to it, and then explain for two lines. */
function sayMistake(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined;
  if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return error.message;
  return /^Unknown option '--?[a-z-]{1,20}'/i.exec(error.message)?.[0].concat('.') ?? 'Unknown option.';
}
