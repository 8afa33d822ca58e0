import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { notAFile } from './not-a-file.js';

// Not FileHandles: one that nobody closes is an error of the process's when it is collected.
const open = promisify(fs.open);
const write = promisify(fs.write);
const sync = promisify(fs.fsync);
const close = promisify(fs.close);
const stat = promisify(fs.stat);
const statOpen = promisify(fs.fstat);

const LINE_FEED = 0x0a;
const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = fs.constants;
/** Should it have become a pipe since it was looked at, nobody waits for a reader of it. */
const APPEND = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK;
/** How often it is looked at whether the file still has its name. */
const LOOK_EVERY_MS = 1000;

/**
 * A file that whole lines are appended to, by any number of processes at once.
 *
 * - Each append is one write(2) with O_APPEND: on a disk of this machine nobody's lines come between two of them.
 * - A write that was cut short (a full disk) leaves half a line. So does a process that is killed in the middle of one. Whoever
 *   writes next ends that line first, so that it costs no other.
 * - A file that was renamed or removed is left for a new one of the old name: log rotation needs no signal. (What copies and truncates
 *   it instead may lose lines.)
 */
export class AppendFile {
  readonly #path: string;
  #file: number | undefined;
  #lookedAt = performance.now();
  /** What a new file begins with, when the old one was moved. */
  readonly #firstLine: () => string;
  /** The last line in it may have no end. */
  #isTorn: boolean;
  #isNew = false;

  /** Throws where it cannot be opened, or is no file. */
  constructor(path: string, firstLine: () => string) {
    this.#path = path;
    this.#firstLine = firstLine;
    // At once: whoever gave a wrong path should hear of it now, not when it is too late.
    checkIsFile(path, fs.statSync(path, { throwIfNoEntry: false }));
    fs.closeSync(fs.openSync(path, APPEND, 0o600));
    this.#isTorn = endsInsideLine(path);
  }

  /** Resolves with how many bytes of `lines` are written: less than all of them where the disk is full. Rejects when nothing is. */
  async append(lines: Buffer): Promise<number> {
    const file = await this.#open();
    const before = Buffer.from(`${this.#isTorn ? '\n' : ''}${this.#isNew ? this.#firstLine() : ''}`);
    const start = before.length > 0 ? Buffer.concat([before, lines]) : lines;
    const { bytesWritten } = await write(file, start, 0, start.length, null);
    if (bytesWritten >= before.length) {
      this.#isTorn = false;
      this.#isNew = false;
    } else if (bytesWritten > 0) {
      this.#isTorn = true;
    }
    const written = Math.max(0, bytesWritten - before.length);
    if (written > 0) this.#isTorn = lines[written - 1] !== LINE_FEED;
    return written;
  }

  /** To the disk. */
  async flush(): Promise<void> {
    if (this.#file !== undefined) await sync(this.#file);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) await close(file);
  }

  async #open(): Promise<number> {
    if (this.#file !== undefined && (await this.#hasMoved(this.#file))) {
      // What is in it stays as it is.
      await this.flush().catch(() => {});
      await this.close();
      this.#isTorn = false;
      this.#isNew = true;
    }
    if (this.#file === undefined) {
      checkIsFile(this.#path, await stat(this.#path).catch(() => undefined));
      this.#file = await open(this.#path, APPEND, 0o600);
    }
    return this.#file;
  }

  async #hasMoved(file: number): Promise<boolean> {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_EVERY_MS) return false;
    this.#lookedAt = now;
    const named = await stat(this.#path).catch(() => undefined);
    const own = await statOpen(file);
    return named?.ino !== own.ino || named.dev !== own.dev;
  }
}

/** A pipe would block whoever opens it, and a device keeps nothing. */
function checkIsFile(path: string, stats: fs.Stats | undefined): void {
  if (stats && !stats.isFile()) throw notAFile(path, stats);
}

function endsInsideLine(path: string): boolean {
  let file: number | undefined;
  try {
    file = fs.openSync(path, 'r');
    const { size } = fs.fstatSync(file);
    const last = Buffer.alloc(1);
    return size > 0 && fs.readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== LINE_FEED;
  } catch {
    // One that may be written and not read: an empty line more does no harm.
    return true;
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}
