import { ReplyError } from './reply-error.js';

/** One entry of a stream. Text in a keyspace has one character a byte. */
export interface Entry {
  readonly id: string;
  /** Names and values in turn. */
  readonly fields: readonly string[];
}

interface StringValue {
  readonly type: 'string';
  bytes: string | Uint8Array;
}

interface SortedSet {
  readonly type: 'zset';
  readonly scores: Map<string, number>;
}

interface Stream {
  readonly type: 'stream';
  readonly entries: Entry[];
}

type Value = (StringValue | SortedSet | Stream) & { expiresAt?: number | undefined };
type ValueOf<Type extends Value['type']> = Extract<Value, { readonly type: Type }>;

/** What a Redis server holds. */
export class Keyspace {
  readonly #values: Map<string, Value>;

  constructor(values: Map<string, Value> = new Map()) {
    this.#values = values;
  }

  /** All of it as it is now, to be gone back to. */
  copy(): Keyspace {
    const values = new Map<string, Value>();
    for (const [key, value] of this.#values) values.set(key, copyOf(value));
    return new Keyspace(values);
  }

  /** Throws WRONGTYPE if the key holds anything else. */
  read<Type extends Value['type']>(key: string, type: Type, now: number): ValueOf<Type> | undefined {
    const value = this.#live(key, now);
    if (value === undefined || value.type === type) return value as ValueOf<Type> | undefined;
    throw new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value');
  }

  write(key: string, value: Value): void {
    this.#values.set(key, value);
  }

  has(key: string, now: number): boolean {
    return this.#live(key, now) !== undefined;
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  #live(key: string, now: number): Value | undefined {
    const value = this.#values.get(key);
    if (value?.expiresAt === undefined || value.expiresAt > now) return value;
    this.#values.delete(key);
    return undefined;
  }
}

function copyOf(value: Value): Value {
  if (value.type === 'zset') return { ...value, scores: new Map(value.scores) };
  if (value.type === 'stream') return { ...value, entries: [...value.entries] };
  return { ...value, bytes: typeof value.bytes === 'string' ? value.bytes : value.bytes.slice() };
}
