/** What became of a ledger's lines. */
export interface WrittenLines {
  /** Lines of jobs that are in the file. */
  readonly lines: number;
  /** Lines of jobs that could not be written. */
  readonly missing: number;
}

/** Where lines go: an `AppendFile`. */
interface LineFile {
  append(lines: Buffer): Promise<number>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Between two tries at a file that cannot be written. */
const RETRY_MS = 1000;
/** The most that goes into one write, about. */
const WRITE_LENGTH = 256 * 1024;
/** Notes are few, and worth more than a job's line: they may exceed the limit by this. */
const NOTES_LENGTH = 16 * 1024;
const LINE_FEED = 0x0a;

/** Lines of one write: of jobs, or notes. */
interface Chunk {
  text: string;
  readonly ofJobs: boolean;
}

/**
 * Lines on their way to the file.
 *
 * 1. A line that comes while nothing is being written is written at once, together with those of the same turn.
 * 2. What comes meanwhile waits, and goes together in the next write.
 * 3. A write that fails is tried again every second; one that is cut short goes on with the line that was cut.
 * 4. What does not fit into memory meanwhile is counted, and the file is told how much that was as soon as it takes lines again.
 */
export class LineBuffer {
  readonly #file: LineFile;
  readonly #maxLength: number;
  readonly #onError: (error: Error) => void;
  readonly #missingLine: (count: number) => string;
  readonly #chunks: Chunk[] = [];
  /** The one that is being written: nothing may be added to it. */
  #busy: Chunk | undefined;
  #length = 0;
  #lines = 0;
  #missing = 0;
  /** Missing lines that the file has not been told of. */
  #untold = 0;
  #isFailing = false;
  #isClosed = false;
  #writing: Promise<void> | undefined;
  #wake: () => void = () => {};

  /** `missingLine` makes the line that says how many are missing. */
  constructor(
    file: LineFile,
    options: { readonly maxBufferedBytes: number; readonly onError: (error: Error) => void },
    missingLine: (count: number) => string,
  ) {
    this.#file = file;
    this.#maxLength = options.maxBufferedBytes;
    this.#onError = options.onError;
    this.#missingLine = missingLine;
  }

  /** A line of a job. */
  add(line: string): void {
    if (this.#length + line.length > this.#maxLength) {
      this.#untold += 1;
      this.#missing += 1;
    } else {
      this.#push(line, true);
    }
  }

  /** A line of no job. */
  note(line: string): void {
    if (this.#length + line.length <= this.#maxLength + NOTES_LENGTH) this.#push(line, false);
  }

  /** Writes what is left, and `last` behind it. What fails from now on is not tried again. */
  async close(last: string): Promise<WrittenLines> {
    this.#isClosed = true;
    this.#wake();
    await this.#writing;
    this.#tellMissing();
    this.note(last);
    await this.#writing;
    for (const { text, ofJobs } of this.#chunks) if (ofJobs) this.#missing += countLines(text);
    this.#chunks.length = 0;
    await this.#file.flush().catch((error: unknown) => this.#failed(error));
    await this.#file.close().catch((error: unknown) => this.#failed(error));
    return { lines: this.#lines, missing: this.#missing };
  }

  #push(line: string, ofJobs: boolean): void {
    this.#length += line.length;
    const last = this.#chunks.at(-1);
    const isOpen = last !== this.#busy && last?.ofJobs === ofJobs && last.text.length < WRITE_LENGTH;
    if (last && isOpen) last.text += line;
    else this.#chunks.push({ text: line, ofJobs });
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // The rest of this turn's lines come along.
    await undefined;
    for (let chunk = this.#chunks[0]; chunk; chunk = this.#chunks[0]) {
      this.#busy = chunk;
      const isMoving = await this.#append(chunk);
      this.#busy = undefined;
      if (chunk.text === '') this.#chunks.shift();
      if (isMoving) this.#tellMissing();
      else if (this.#isClosed) break;
      else await this.#pause();
    }
    this.#writing = undefined;
  }

  /** Writes the whole lines of `chunk` that find room, and leaves the others in it. Resolves with whether any did. */
  async #append(chunk: Chunk): Promise<boolean> {
    try {
      const bytes = Buffer.from(chunk.text);
      const written = await this.#file.append(bytes);
      const done = written === 0 ? 0 : bytes.lastIndexOf(LINE_FEED, written - 1) + 1;
      if (done === 0) return false;
      this.#isFailing = false;
      if (chunk.ofJobs) this.#lines += countLines(bytes.subarray(0, done).toString());
      const rest = bytes.subarray(done).toString();
      this.#length -= chunk.text.length - rest.length;
      chunk.text = rest;
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  #tellMissing(): void {
    if (this.#untold === 0) return;
    const line = this.#missingLine(this.#untold);
    this.#untold = 0;
    this.#push(line, false);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #failed(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    // An async function, since whoever is told may also reject, and must not end what goes on without him.
    const tell = async () => this.#onError(error instanceof Error ? error : new Error(String(error)));
    tell().catch(() => {});
  }
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}
