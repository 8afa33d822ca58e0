import * as fs from 'node:fs';
import { promisify } from 'node:util';

// Not FileHandles: one that nobody closes is an error of the process's when it is collected.
const open = promisify(fs.open);
const write = promisify(fs.write);
const sync = promisify(fs.fsync);
const close = promisify(fs.close);
const stat = promisify(fs.stat);
const statOpen = promisify(fs.fstat);

const LINE_FEED = 0x0a;
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
  /** The last line in it may have no end. */
  #isTorn: boolean;

  /** Throws where it cannot be opened. */
  constructor(path: string) {
    this.#path = path;
    // At once: whoever gave a wrong path should hear of it now, not when it is too late.
    fs.closeSync(fs.openSync(path, 'a', 0o600));
    this.#isTorn = endsInsideLine(path);
  }

  /** Resolves with how many bytes of `lines` are written: less than all of them where the disk is full. Rejects when nothing is. */
  async append(lines: Buffer): Promise<number> {
    const file = await this.#open();
    const start = this.#isTorn ? Buffer.concat([Buffer.of(LINE_FEED), lines]) : lines;
    const { bytesWritten } = await write(file, start, 0, start.length, null);
    const mended = start.length - lines.length;
    if (bytesWritten >= mended && mended > 0) this.#isTorn = false;
    const written = Math.max(0, bytesWritten - mended);
    if (written > 0) this.#isTorn = lines[written - 1] !== LINE_FEED;
    return written;
  }

  /** To the disk. */
  async flush(): Promise<void> {
    try {
      if (this.#file !== undefined) await sync(this.#file);
    } catch (error) {
      // What is no file (a pipe, a device) cannot be flushed.
      const { code } = error as { readonly code?: unknown };
      if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error;
    }
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
    }
    this.#file ??= await open(this.#path, 'a', 0o600);
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

function endsInsideLine(path: string): boolean {
  let file: number | undefined;
  try {
    // A pipe would be waited for.
    file = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
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
