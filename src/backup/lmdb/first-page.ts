import { fstatSync, readSync } from 'node:fs';

// The layout is LMDB's data format 2 on 64 bits, little-endian: lmdb/dependencies/lmdb/libraries/liblmdb/mdb.c.
/** Bytes before the content of a page. */
export const PAGE_HEADER_BYTES = 24;
const CONTENT_BYTES = 144;
const MAGIC = 0xbeefc0de;
const DATA_FORMAT = 2;
const IS_FIRST_PAGE = 8;
/** The flags of the tree of free pages, and one of lmdb's own. */
const INTEGER_KEYS = 0x08;
const OVERLAPPING_SYNC = 0x1000;
const FREE_AT = 24;
const MAIN_AT = 72;

/** What is wrong with a file. */
export class Damage extends Error {}

/** The root of a tree of pages, as its parent or a first page says. */
export interface Root {
  readonly page: bigint;
  readonly flags: number;
  readonly depth: number;
  readonly entries: bigint;
}

/** What LMDB begins with: the file has two of them, written in turns. */
export interface FirstPage {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly transaction: bigint;
  readonly free: Root;
  readonly main: Root;
}

/** The newer of the two. Both must be sound, since LMDB looks into both. */
export function readFirstPage(file: number): FirstPage | Damage {
  try {
    const first = parse(readBytes(file, 0, PAGE_HEADER_BYTES + CONTENT_BYTES), 0);
    const second = parse(readBytes(file, first.pageBytes, PAGE_HEADER_BYTES + CONTENT_BYTES), 1);
    if (second.pageBytes !== first.pageBytes) throw new Damage('its first two pages do not agree');
    return second.transaction > first.transaction ? second : first;
  } catch (error) {
    if (error instanceof Damage) return error;
    throw error;
  }
}

/** Throws a {@link Damage} where the file ends before. */
export function readBytes(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  if (readSync(file, bytes, 0, length, position) < length) {
    throw new Damage(`it is cut off at byte ${fstatSync(file).size}`);
  }
  return bytes;
}

/** `at` is where the root's description begins. */
export function parseRoot(bytes: Buffer, at: number): Root {
  return {
    page: bytes.readBigUInt64LE(at + 40),
    flags: bytes.readUInt16LE(at + 4),
    depth: bytes.readUInt16LE(at + 6),
    entries: bytes.readBigUInt64LE(at + 32),
  };
}

function parse(page: Buffer, number: number): FirstPage {
  const isFirstPage = page.readBigUInt64LE(0) === BigInt(number) && page.readUInt16LE(18) === IS_FIRST_PAGE;
  const content = page.subarray(PAGE_HEADER_BYTES);
  if (!isFirstPage || content.readUInt32LE(0) !== MAGIC)
    throw new Damage(`page ${number} is not one that LMDB begins with`);
  if ((content.readUInt32LE(4) & 0xffff) !== DATA_FORMAT) {
    throw new Damage(`page ${number} says another data format than ${DATA_FORMAT}`);
  }
  const pageBytes = content.readUInt32LE(FREE_AT);
  const lastPage = content.readBigUInt64LE(120);
  const free = parseRoot(content, FREE_AT);
  const main = parseRoot(content, MAIN_AT);
  const isPossible =
    pageBytes >= 512 &&
    pageBytes <= 65_536 &&
    (pageBytes & (pageBytes - 1)) === 0 &&
    lastPage >= 1n &&
    lastPage < 2n ** 44n &&
    (free.flags & ~OVERLAPPING_SYNC) === INTEGER_KEYS;
  if (!isPossible) throw new Damage(`page ${number} says what cannot be`);
  return { pageBytes, lastPage: Number(lastPage), transaction: content.readBigUInt64LE(128), free, main };
}
