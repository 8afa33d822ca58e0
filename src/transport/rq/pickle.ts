import type { JsonValue } from './python-value.js';

// Instructions of https://docs.python.org/3/library/pickletools.html.
const PROTOCOL_2 = Buffer.of(0x80, 2);
const STOP = Buffer.from('.');
const NONE = Buffer.from('N');
const TRUE = Buffer.of(0x88);
const FALSE = Buffer.of(0x89);
const EMPTY_LIST_AND_MARK = Buffer.from('](');
const APPENDS = Buffer.from('e');
const EMPTY_DICT_AND_MARK = Buffer.from('}(');
const SETITEMS = Buffer.from('u');

/**
 * `value` as Python's pickle, in protocol 2, which every Python 3 reads. What comes out of JSON has no class and no references, so
 * a handful of instructions will do.
 */
export function pickle(value: JsonValue): Buffer {
  const parts = [PROTOCOL_2];
  write(parts, value);
  parts.push(STOP);
  return Buffer.concat(parts);
}

function write(parts: Buffer[], value: JsonValue): void {
  if (Array.isArray(value)) {
    parts.push(EMPTY_LIST_AND_MARK);
    for (const item of value) write(parts, item);
    parts.push(APPENDS);
  } else if (typeof value === 'object' && value !== null) {
    parts.push(EMPTY_DICT_AND_MARK);
    for (const [key, item] of Object.entries(value)) {
      parts.push(string(key));
      write(parts, item);
    }
    parts.push(SETITEMS);
  } else {
    parts.push(scalar(value as null | boolean | number | string));
  }
}

function scalar(value: null | boolean | number | string): Buffer {
  if (value === null) return NONE;
  if (typeof value === 'boolean') return value ? TRUE : FALSE;
  if (typeof value === 'string') return string(value);
  return Number.isSafeInteger(value) ? integer(value) : float(value);
}

function string(value: string): Buffer {
  const text = Buffer.from(value);
  const size = Buffer.alloc(5, 'X');
  size.writeUInt32LE(text.length, 1);
  return Buffer.concat([size, text]);
}

function integer(value: number): Buffer {
  if (value === (value | 0)) {
    const binint = Buffer.alloc(5, 'J');
    binint.writeInt32LE(value, 1);
    return binint;
  }
  const long1 = Buffer.of(0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0);
  long1.writeBigInt64LE(BigInt(value), 2);
  return long1;
}

function float(value: number): Buffer {
  const binfloat = Buffer.alloc(9, 'G');
  binfloat.writeDoubleBE(value, 1);
  return binfloat;
}
