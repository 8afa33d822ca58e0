const CRLF = Buffer.from('\r\n');

/** An error reply. `message` is the wire text, so its first word is the code. */
export class RespError extends Error {
  override readonly name = 'RespError';
}

interface OpenArray {
  readonly values: unknown[];
  readonly length: number;
}

/**
 * Turns the bytes of a RESP2 connection into replies: strings, numbers, `null`, arrays, and `RespError` (also inside
 * arrays). Bytes may come in pieces of any size. Throws on bytes that are no RESP2.
 */
export class RespParser {
  #rest: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Of a large string the pieces are kept until it is complete: joining at every piece would take quadratic time. */
  #pieces: Buffer[] = [];
  #missing = 0;
  readonly #open: OpenArray[] = [];

  /** Whether all bytes so far belong to complete values. */
  get isBetweenValues(): boolean {
    return this.#pieces.length === 0 && this.#at === this.#rest.length && this.#open.length === 0;
  }

  /** The replies that these bytes complete. */
  push(bytes: Buffer): unknown[] {
    this.#pieces.push(bytes);
    this.#missing -= bytes.length;
    if (this.#missing > 0) return [];
    this.#rest = Buffer.concat([this.#rest.subarray(this.#at), ...this.#pieces]);
    this.#pieces = [];
    this.#missing = 0;
    this.#at = 0;
    const replies: unknown[] = [];
    while (this.#readValue(replies));
    return replies;
  }

  /** False when the bytes at hand end before the value does. */
  #readValue(replies: unknown[]): boolean {
    const lineEnd = this.#rest.indexOf(CRLF, this.#at);
    if (lineEnd === -1) return false;
    const type = String.fromCharCode(this.#rest[this.#at] ?? 0);
    const line = this.#rest.toString('utf8', this.#at + 1, lineEnd);
    const next = lineEnd + CRLF.length;
    let end = next;
    let value: unknown;
    switch (type) {
      case '+':
        value = line;
        break;
      case '-':
        value = new RespError(line);
        break;
      case ':':
        value = Number(line);
        break;
      case '$': {
        const length = Number(line);
        if (length >= 0) {
          end = next + length + CRLF.length;
          if (this.#rest.length < end) {
            this.#missing = end - this.#rest.length;
            return false;
          }
        }
        value = length < 0 ? null : this.#rest.toString('utf8', next, next + length);
        break;
      }
      case '*': {
        const length = Number(line);
        if (length > 0) {
          this.#at = next;
          this.#open.push({ values: [], length });
          return true;
        }
        value = length < 0 ? null : [];
        break;
      }
      default:
        throw new Error(`No RESP2 type: ${JSON.stringify(type)}`);
    }
    this.#at = end;
    this.#complete(value, replies);
    return true;
  }

  #complete(value: unknown, replies: unknown[]): void {
    let done = value;
    for (let array = this.#open.at(-1); array; array = this.#open.at(-1)) {
      array.values.push(done);
      if (array.values.length < array.length) return;
      done = array.values;
      this.#open.pop();
    }
    replies.push(done);
  }
}
