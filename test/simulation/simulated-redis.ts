import { createHash } from 'node:crypto';
import type { Argument } from '../../src/index.js';
import { commands, type Reply } from './commands.js';
import { type Entry, Keyspace } from './keyspace.js';
import { LuaRuntime } from './lua-runtime.js';
import { ReplyError } from './reply-error.js';

/** What a server will not do at present. */
export interface Refusal {
  /** The wire text that everything is answered with (LOADING, BUSY …). */
  readonly everything?: string | undefined;
  /** The wire text that a write is answered with, also inside a script (READONLY, OOM …). */
  readonly writes?: string | undefined;
  /** Commands that the user has no right to, upper case. */
  readonly denied?: readonly string[];
}

/** Commands that a server without memory still takes. */
const frees = new Set(['UNLINK', 'ZREM']);

// The language has no state of ours between two runs, and setting it up takes longer than running a script.
const runtime = new LuaRuntime();

/** Scripts that any server was ever given, by their SHA1: in every simulation they were used for long before. */
const sources = new Map<string, string>();

/** A Redis server that executes the library's own scripts over a keyspace in this process. */
export class SimulatedRedis {
  keyspace = new Keyspace();
  refusal: Refusal = {};
  readonly #now: () => number;
  /** Scripts that it does not have, though others do, by their SHA1. */
  #missing = new Set<string>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A restart, or another node: it has to be given its scripts again. */
  forgetScripts(): void {
    this.#missing = new Set(sources.keys());
  }

  stream(key: string): readonly Entry[] {
    return this.keyspace.read(bytesOf(key), 'stream', this.#now())?.entries ?? [];
  }

  /** Executes a command on what the server holds, or on `keyspace`: a server that was demoted. Throws its error replies. */
  execute(args: readonly Argument[], keyspace: Keyspace = this.keyspace): Reply {
    const { everything } = this.refusal;
    if (everything !== undefined) throw new ReplyError(everything);
    const [command, ...rest] = args.map(bytesOf) as [string, ...string[]];
    if (command === 'EVALSHA') {
      const sha = rest[0] as string;
      const source = sources.get(sha);
      if (source === undefined || this.#missing.has(sha)) {
        throw new ReplyError('NOSCRIPT No matching script. Please use EVAL.');
      }
      return this.#eval(source, rest.slice(1), keyspace);
    }
    if (command === 'EVAL') {
      const source = rest[0] as string;
      const sha = createHash('sha1').update(source, 'latin1').digest('hex');
      sources.set(sha, source);
      this.#missing.delete(sha);
      return this.#eval(source, rest.slice(1), keyspace);
    }
    return this.#call([command, ...rest], keyspace);
  }

  #eval(source: string, args: readonly string[], keyspace: Keyspace): Reply {
    const count = Number(args[0]);
    const keys = args.slice(1, 1 + count);
    return runtime.run(source, keys, args.slice(1 + count), (call) => this.#call(call, keyspace));
  }

  #call([name = '', ...args]: readonly string[], keyspace: Keyspace): Reply {
    const command = commands[name.toUpperCase()];
    if (command === undefined) throw new Error(`The simulation does not know the command ${name}`);
    const { denied, writes } = this.refusal;
    if (denied?.includes(name.toUpperCase())) {
      throw new ReplyError("ERR The user executing the script can't run this command or subcommand");
    }
    const isRefused = command.isWrite && !(frees.has(name.toUpperCase()) && writes?.startsWith('OOM'));
    if (isRefused && writes !== undefined) throw new ReplyError(writes);
    return command.run(keyspace, args, this.#now());
  }
}

function bytesOf(argument: Argument): string {
  if (typeof argument !== 'string') return argument.toString('latin1');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is the same in both
  return /^[\x00-\x7f]*$/.test(argument) ? argument : Buffer.from(argument).toString('latin1');
}
