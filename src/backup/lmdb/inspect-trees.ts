import { Damage, type FirstPage, PAGE_HEADER_BYTES, parseRoot, type Root, readBytes } from './first-page.js';

const NODE_HEADER_BYTES = 8;
const FIRST_TREE_PAGE = 2;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const MAX_DEPTH = 32;
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
const OVERFLOW_NODE = 1;
const SUBTREE_NODE = 2;

/** Walks through every page that can be reached. Returns what is wrong. */
export function inspectTrees(file: number, first: FirstPage): Damage | undefined {
  try {
    const pages = new Pages(file, first);
    inspectTree(pages, first.free, true);
    inspectTree(pages, first.main, false);
    return undefined;
  } catch (error) {
    if (error instanceof Damage) return error;
    throw error;
  }
}

/** The file's pages, each of which may be used once. */
class Pages {
  readonly #file: number;
  readonly #first: FirstPage;
  readonly #used: Uint8Array;

  constructor(file: number, first: FirstPage) {
    this.#file = file;
    this.#first = first;
    this.#used = new Uint8Array((first.lastPage >> 3) + 1);
  }

  read(page: bigint): Buffer {
    const number = this.#use(page, 1);
    const bytes = readBytes(this.#file, number * this.#first.pageBytes, this.#first.pageBytes);
    this.#checkHeader(bytes, page);
    return bytes;
  }

  /** A value that has pages of its own. */
  checkOverflow(page: bigint, count: bigint, valueBytes: number, transaction: bigint): void {
    const { pageBytes } = this.#first;
    const needed = Math.floor((PAGE_HEADER_BYTES - 1 + valueBytes) / pageBytes) + 1;
    if (count !== BigInt(needed)) throw new Damage(`a value of ${valueBytes} bytes has ${count} pages`);
    const number = this.#use(page, needed);
    const header = readBytes(this.#file, number * pageBytes, PAGE_HEADER_BYTES);
    this.#checkHeader(header, page);
    readBytes(this.#file, (number + needed) * pageBytes - 1, 1);
    const isOverflow = header.readUInt16LE(18) === OVERFLOW && header.readUInt32LE(20) === needed;
    if (!isOverflow || transaction > this.#first.transaction)
      throw new Damage(`page ${page} is not a value's`);
  }

  #use(page: bigint, count: number): number {
    if (page < FIRST_TREE_PAGE || page + BigInt(count) > BigInt(this.#first.lastPage) + 1n) {
      throw new Damage(`it points to page ${page}, and has ${this.#first.lastPage + 1}`);
    }
    const number = Number(page);
    for (let n = number; n < number + count; n++) {
      const bit = 1 << (n & 7);
      if (((this.#used[n >> 3] as number) & bit) !== 0) throw new Damage(`page ${n} is used twice`);
      this.#used[n >> 3] = (this.#used[n >> 3] as number) | bit;
    }
    return number;
  }

  #checkHeader(bytes: Buffer, page: bigint): void {
    // A page of a transaction to come would be taken for one in memory, and written to.
    const isSound = bytes.readBigUInt64LE(0) === page && bytes.readBigUInt64LE(8) <= this.#first.transaction;
    if (!isSound) throw new Damage(`page ${page} is not what is said of it`);
  }
}

function inspectTree(pages: Pages, root: Root, isFree: boolean): void {
  if (root.page === NO_PAGE) {
    if (root.entries !== 0n) throw new Damage('a tree with entries has no pages');
    return;
  }
  if (root.depth < 1 || root.depth > MAX_DEPTH) throw new Damage(`a tree is ${root.depth} pages deep`);
  const entries = inspectPage(pages, root.page, root.depth, isFree);
  if (BigInt(entries) !== root.entries)
    throw new Damage(`a tree has ${entries} entries and says ${root.entries}`);
}

/** What keys of a page's must not be below, and must be below of. */
interface Bounds {
  readonly from?: Buffer | undefined;
  readonly to?: Buffer | undefined;
}

/** Returns how many entries there are below a page that is `depth` above the leaves. */
function inspectPage(
  pages: Pages,
  number: bigint,
  depth: number,
  isFree: boolean,
  bounds: Bounds = {},
): number {
  const page = pages.read(number);
  const isLeaf = depth === 1;
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  const room = page.length - PAGE_HEADER_BYTES;
  const count = lower >> 1;
  const isSound =
    page.readUInt16LE(18) === (isLeaf ? LEAF : BRANCH) &&
    (lower & 1) === 0 &&
    lower <= upper &&
    upper <= room &&
    count >= (isLeaf || isFree ? 1 : 2);
  if (!isSound) throw new Damage(`page ${number} is not one of a tree`);

  const nodes = Array.from({ length: count }, (_, i) => {
    const offset = page.readUInt16LE(PAGE_HEADER_BYTES + 2 * i);
    const node = readNode(page, offset, upper, isLeaf);
    if (!node) throw new Damage(`page ${number} has an entry beyond itself`);
    return node;
  });
  const bytes = nodes.reduce((sum, node) => sum + node.bytes, 0);
  if (upper + bytes !== room) throw new Damage(`page ${number} has entries that overlap`);
  // The first key of a branch says nothing.
  const keys = nodes.slice(isLeaf ? 0 : 1).map(({ key }) => key);
  if (!isFree && !areInOrder(keys, bounds)) throw new Damage(`page ${number} is out of order`);

  let entries = 0;
  for (const [i, node] of nodes.entries()) {
    if (isLeaf) {
      inspectValue(pages, node, isFree);
      entries += 1;
    } else {
      const from = i === 0 ? bounds.from : node.key;
      const to = nodes[i + 1]?.key ?? bounds.to;
      entries += inspectPage(pages, node.child, depth - 1, isFree, { from, to });
    }
  }
  return entries;
}

function areInOrder(keys: readonly Buffer[], { from, to }: Bounds): boolean {
  const [first] = keys;
  const last = keys.at(-1);
  if (first && from && Buffer.compare(first, from) < 0) return false;
  if (last && to && Buffer.compare(last, to) >= 0) return false;
  return keys.every((key, i) => i === 0 || Buffer.compare(keys[i - 1] as Buffer, key) < 0);
}

interface Node {
  readonly key: Buffer;
  readonly flags: number;
  /** Of a leaf: the value, or where it is. */
  readonly data: Buffer;
  readonly valueBytes: number;
  /** Of a branch. */
  readonly child: bigint;
  /** What it takes of the page. */
  readonly bytes: number;
}

function readNode(page: Buffer, offset: number, upper: number, isLeaf: boolean): Node | undefined {
  const at = PAGE_HEADER_BYTES + offset;
  if (offset < upper || (offset & 1) !== 0 || at + NODE_HEADER_BYTES > page.length) return undefined;
  const low = page.readUInt32LE(at);
  const flags = page.readUInt16LE(at + 4);
  const keyEnd = at + NODE_HEADER_BYTES + page.readUInt16LE(at + 6);
  const isApart = isLeaf && (flags & OVERFLOW_NODE) !== 0;
  const end = keyEnd + (isApart ? 24 : isLeaf ? low : 0);
  if (end > page.length || (isLeaf && (flags & ~(OVERFLOW_NODE | SUBTREE_NODE)) !== 0)) return undefined;
  return {
    key: page.subarray(at + NODE_HEADER_BYTES, keyEnd),
    flags,
    data: page.subarray(keyEnd, end),
    valueBytes: low,
    child: BigInt(low) | (BigInt(flags) << 32n),
    bytes: (end - at + 1) & ~1,
  };
}

function inspectValue(pages: Pages, node: Node, isFree: boolean): void {
  const { data, flags } = node;
  if ((flags & OVERFLOW_NODE) !== 0) {
    pages.checkOverflow(
      data.readBigUInt64LE(0),
      data.readBigUInt64LE(16),
      node.valueBytes,
      data.readBigUInt64LE(8),
    );
  } else if ((flags & SUBTREE_NODE) !== 0) {
    if (data.length !== 48) throw new Damage('a tree inside another is not described');
    inspectTree(pages, parseRoot(data, 0), isFree);
  }
}
