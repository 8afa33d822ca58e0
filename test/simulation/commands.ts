import type { Keyspace } from './keyspace.js';
import { ReplyError } from './reply-error.js';

/** What a command answers; text has one character a byte. */
export type Reply = string | number | null | { readonly ok: string } | readonly Reply[];

interface Command {
  /** Refused by a server that takes no writes. */
  readonly isWrite: boolean;
  run(keyspace: Keyspace, args: readonly string[], now: number): Reply;
}

const OK = { ok: 'OK' } as const;

/** Every command that the library's scripts use, as Redis does it. */
export const commands: Readonly<Record<string, Command>> = {
  TIME: read((_keyspace, _args, now) => [String(Math.floor(now / 1000)), String((now % 1000) * 1000)]),
  GET: read((keyspace, [key], now) => {
    const value = keyspace.read(text(key), 'string', now);
    return value === undefined ? null : asText(value.bytes);
  }),
  GETBIT: read((keyspace, [key, offset], now) => {
    const value = keyspace.read(text(key), 'string', now);
    return value === undefined ? 0 : bitOf(asBytes(value.bytes), integer(offset));
  }),
  ZSCORE: read((keyspace, [key, member], now) => {
    const score = keyspace.read(text(key), 'zset', now)?.scores.get(text(member));
    return score === undefined ? null : String(score);
  }),
  ZRANGEBYSCORE: read((keyspace, [key, min, max, ...rest], now) => {
    const scores = [...(keyspace.read(text(key), 'zset', now)?.scores ?? [])];
    scores.sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    const found = scores.filter(([, score]) => isAbove(score, text(min)) && isBelow(score, text(max)));
    const [keyword, from, count] = rest;
    if (keyword === undefined) return found.map(([member]) => member);
    if (keyword.toUpperCase() !== 'LIMIT') throw new ReplyError('ERR syntax error');
    return found.slice(integer(from), integer(from) + integer(count)).map(([member]) => member);
  }),
  SET: write((keyspace, [key, value, ...options], now) => {
    let expiresAt: number | undefined;
    let onlyIf: 'NX' | 'XX' | undefined;
    for (let i = 0; i < options.length; i++) {
      const option = text(options[i]).toUpperCase();
      if (option === 'PX') expiresAt = now + integer(options[++i]);
      else if (option === 'EX') expiresAt = now + integer(options[++i]) * 1000;
      else if (option === 'NX' || option === 'XX') onlyIf = option;
      else throw new ReplyError('ERR syntax error');
    }
    if (onlyIf !== undefined && keyspace.has(text(key), now) === (onlyIf === 'NX')) return null;
    keyspace.write(text(key), { type: 'string', bytes: text(value), expiresAt });
    return OK;
  }),
  SETBIT: write((keyspace, [key, offset, bit], now) => {
    const value = keyspace.read(text(key), 'string', now);
    const bytes = withRoom(asBytes(value?.bytes ?? ''), (integer(offset) >> 3) + 1);
    const before = bitOf(bytes, integer(offset));
    putBit(bytes, integer(offset), integer(bit));
    keyspace.write(text(key), { type: 'string', bytes, expiresAt: value?.expiresAt });
    return before;
  }),
  BITFIELD: write((keyspace, [key, ...steps], now) => {
    const value = keyspace.read(text(key), 'string', now);
    let bytes = asBytes(value?.bytes ?? '');
    const replies: number[] = [];
    let hasWritten = false;
    for (let i = 0; i < steps.length; ) {
      const step = text(steps[i]).toUpperCase();
      const width = unsigned(steps[i + 1]);
      const place = text(steps[i + 2]);
      const offset = place.startsWith('#') ? integer(place.slice(1)) * width : integer(place);
      replies.push(fieldOf(bytes, offset, width));
      if (step === 'SET') {
        bytes = withRoom(bytes, ((offset + width - 1) >> 3) + 1);
        putField(bytes, offset, width, integer(steps[i + 3]));
        hasWritten = true;
        i += 4;
      } else if (step === 'GET') {
        i += 3;
      } else {
        throw new Error(`The simulation does not know BITFIELD ${step}`);
      }
    }
    if (hasWritten) keyspace.write(text(key), { type: 'string', bytes, expiresAt: value?.expiresAt });
    return replies;
  }),
  ZADD: write((keyspace, [key, score, member, ...more], now) => {
    if (more.length > 0) throw new Error('The simulation adds one member at a time');
    const value = keyspace.read(text(key), 'zset', now) ?? { type: 'zset', scores: new Map() };
    const isNew = !value.scores.has(text(member));
    value.scores.set(text(member), Number(score));
    keyspace.write(text(key), value);
    return isNew ? 1 : 0;
  }),
  ZREM: write((keyspace, [key, ...members], now) => {
    const value = keyspace.read(text(key), 'zset', now);
    const removed = members.filter((member) => value?.scores.delete(member)).length;
    if (value?.scores.size === 0) keyspace.delete(text(key));
    return removed;
  }),
  XADD: write((keyspace, [key, id, ...fields], now) => {
    if (id !== '*') throw new Error('The simulation adds entries at the end only');
    const value = keyspace.read(text(key), 'stream', now) ?? { type: 'stream', entries: [] };
    const [ms, number] = (value.entries.at(-1)?.id ?? '0-0').split('-').map(Number) as [number, number];
    const entry = ms >= now ? `${ms}-${number + 1}` : `${now}-0`;
    value.entries.push({ id: entry, fields });
    keyspace.write(text(key), value);
    return entry;
  }),
  UNLINK: write((keyspace, keys, now) => {
    const found = keys.filter((key) => keyspace.has(key, now));
    for (const key of found) keyspace.delete(key);
    return found.length;
  }),
};

function read(run: Command['run']): Command {
  return { isWrite: false, run };
}

function write(run: Command['run']): Command {
  return { isWrite: true, run };
}

function text(argument: string | undefined): string {
  if (argument === undefined) throw new ReplyError('ERR wrong number of arguments');
  return argument;
}

function integer(argument: string | undefined): number {
  if (!/^-?\d+$/.test(text(argument))) throw new ReplyError('ERR value is not an integer or out of range');
  return Number(argument);
}

function unsigned(type: string | undefined): number {
  if (!/^u\d+$/.test(text(type))) throw new Error(`The simulation has no fields of type ${type}`);
  return integer(text(type).slice(1));
}

function isAbove(score: number, min: string): boolean {
  if (min === '-inf') return true;
  return min.startsWith('(') ? score > Number(min.slice(1)) : score >= Number(min);
}

function isBelow(score: number, max: string): boolean {
  if (max === '+inf') return true;
  return max.startsWith('(') ? score < Number(max.slice(1)) : score <= Number(max);
}

function asText(bytes: string | Uint8Array): string {
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1');
}

function asBytes(bytes: string | Uint8Array): Uint8Array {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
}

function withRoom(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes;
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

/** The first bit of a byte is its highest. */
function bitOf(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset >> 3] ?? 0) >> (7 - (offset & 7))) & 1;
}

function putBit(bytes: Uint8Array, offset: number, bit: number): void {
  const mask = 1 << (7 - (offset & 7));
  const byte = bytes[offset >> 3] as number;
  bytes[offset >> 3] = bit === 1 ? byte | mask : byte & ~mask;
}

function fieldOf(bytes: Uint8Array, offset: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 2 + bitOf(bytes, offset + i);
  return value;
}

function putField(bytes: Uint8Array, offset: number, width: number, value: number): void {
  for (let i = 0; i < width; i++) putBit(bytes, offset + i, Math.floor(value / 2 ** (width - 1 - i)) % 2);
}
