import type { Clock } from '../clock/clock.js';
import { type RedisFailure, sortFailure } from '../policy/outage.js';
import { within } from '../policy/within.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import { NotMade } from './check.js';

/** What can be read of a server. Each command is sent once, however many checks look at its reply. */
export class Server {
  readonly #connection: RedisConnection | undefined;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #asked = new Map<string, Promise<unknown>>();
  #isSilent = false;

  /** `connection` is undefined when there is none, and then nothing can be read. */
  constructor(connection: RedisConnection | undefined, clock: Clock, timeoutMs: number) {
    this.#connection = connection;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** It answered, and then stopped to. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Rejects with {@link NotMade} when there is no connection, or Redis has stopped to answer. */
  async use<T>(work: (connection: RedisConnection) => Promise<T>): Promise<T> {
    if (!this.#connection) throw new NotMade('unreachable', 'Redis was not reached');
    // One wait is enough: a server that hangs would take as long again for every check.
    if (this.#isSilent) throw new NotMade('unreachable', 'Redis does not answer any more');
    const failure = await within(this.#clock, this.#timeoutMs, work(this.#connection)).then(
      (value) => ({ value }),
      (error: unknown) => sortFailure(error, false),
    );
    if (!(failure instanceof Error)) return failure.value;
    if (isSilence(failure)) this.#isSilent = true;
    throw failure;
  }

  /** One command, for its effect or its duration. Rejects with a `RedisFailure`. */
  send(...args: readonly string[]): Promise<unknown> {
    return this.use((connection) => connection.send(args, args[1] ?? ''));
  }

  /** One command's reply. Rejects with {@link NotMade} when the server refuses it. */
  ask(...args: readonly string[]): Promise<unknown> {
    const command = args.join(' ');
    let reply = this.#asked.get(command);
    if (!reply) {
      reply = this.send(...args).catch((error: unknown) => {
        throw notMade(error as RedisFailure | NotMade, args);
      });
      this.#asked.set(command, reply);
    }
    return reply;
  }

  /** A field of INFO. Rejects with {@link NotMade} when this server has no such field. */
  async info(field: string): Promise<string> {
    const value = await this.infoIfAny(field);
    if (value === undefined) throw new NotMade('refused', `This server's INFO has no ${field}`);
    return value;
  }

  async infoIfAny(field: string): Promise<string | undefined> {
    return (await this.infoFields()).get(field);
  }

  /** Rejects with {@link NotMade}, too, when it is no number. */
  async infoNumber(field: string): Promise<number> {
    return toNumber(await this.info(field), field);
  }

  async infoFields(): Promise<ReadonlyMap<string, string>> {
    return readInfo(await this.ask('INFO'));
  }

  /**
   * By INFO, whose field Valkey calls otherwise, or by ROLE where a user may not use INFO. False where neither tells; rejects
   * with {@link NotMade} when Redis is not reached.
   */
  isSentinel(): Promise<boolean> {
    const byInfo = async () => {
      const fields = await this.infoFields();
      return fields.get('redis_mode') ?? fields.get('server_mode');
    };
    const byRole = async () => {
      const reply = await this.ask('ROLE');
      return Array.isArray(reply) ? String(reply[0]) : undefined;
    };
    return byInfo()
      .catch(byRole)
      .then(
        (mode) => mode === 'sentinel',
        (error: unknown) => {
          if (error instanceof NotMade && error.reason === 'unreachable') throw error;
          return false;
        },
      );
  }

  /** False where INFO is refused. */
  isClusterNode(): Promise<boolean> {
    return this.infoIfAny('cluster_enabled').then(
      (value) => value === '1',
      () => false,
    );
  }

  /** A setting by CONFIG GET, which many managed services refuse. */
  async config(name: string): Promise<string> {
    const value = toPairs(await this.ask('CONFIG', 'GET', name)).get(name);
    if (value === undefined) throw new NotMade('refused', `This server does not tell its ${name}`);
    return value;
  }

  async configNumber(name: string): Promise<number> {
    return toNumber(await this.config(name), name);
  }

  /** A field of INFO, or where INFO is refused, a setting. */
  infoOrConfig(field: string, setting: string): Promise<string> {
    return this.info(field).catch((error: unknown) =>
      this.config(setting).catch(() => Promise.reject(error)),
    );
  }

  async infoOrConfigNumber(field: string, setting: string): Promise<number> {
    return toNumber(await this.infoOrConfig(field, setting), field);
  }
}

/** A service that leaves a field empty, or writes a word into it, is neither well nor ill for that. */
export function toNumber(text: string, name: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new NotMade('refused', `This server's ${name} is no number`);
  }
  return value;
}

function isSilence({ kind }: RedisFailure): boolean {
  return kind === 'timeout' || kind === 'disconnected' || kind === 'connection-lost';
}

/** Why a check was not made whose command got this answer. */
export function notMade(error: RedisFailure | NotMade, [name, second]: readonly string[]): NotMade {
  if (error instanceof NotMade) return error;
  if (isSilence(error)) return new NotMade('unreachable', 'Redis did not answer');
  const command = name === 'INFO' || name === 'ROLE' ? name : `${name} ${second}`;
  if (error.kind === 'noperm') return new NotMade('refused', `This user may not use ${command}`);
  const isUnknown = /unknown (?:sub)?command/i.test(error.message);
  return new NotMade(
    'refused',
    isUnknown ? `This server does not offer ${command}` : `The server refused ${command}: ${error.kind}`,
  );
}

/** `INFO` as a map; lines such as `slave0` keep their own fields as text. */
export function readInfo(reply: unknown): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of String(reply).split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** A reply of names and values, which is flat in RESP 2, a map in RESP 3, and an object in some clients. */
export function toPairs(reply: unknown): ReadonlyMap<string, string> {
  if (reply instanceof Map) return new Map([...reply].map(([name, value]) => [String(name), String(value)]));
  if (Array.isArray(reply)) {
    const pairs = new Map<string, string>();
    for (let at = 0; at + 1 < reply.length; at += 2) pairs.set(String(reply[at]), String(reply[at + 1]));
    return pairs;
  }
  if (typeof reply === 'object' && reply !== null) {
    return new Map(Object.entries(reply).map(([name, value]) => [name, String(value)]));
  }
  return new Map();
}
