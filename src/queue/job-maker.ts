import type { Clock } from '../clock/clock.js';
import { ResilientQueueError } from '../errors/resilient-queue-error.js';
import { encodePayload } from '../job/codec.js';
import { checkJobId } from '../job/job-id.js';
import { checkJobName } from '../job/job-name.js';
import { JOB_RECORD_VERSION, type JobRecord } from '../job/job-record.js';
import type { PayloadSchemas } from '../job/payload-schemas.js';
import { type DeliveryIds, isDeliveryId } from '../recognition/delivery-id.js';
import type { Transport } from '../transport/transport.js';
import type { EnqueueOptions } from './enqueue-options.js';

/** Names that were found good; bounded, because names made from data would fill it. */
const MAX_KNOWN_NAMES = 1000;

const knownOptions: Readonly<Record<keyof EnqueueOptions, true>> = {
  id: true,
  signal: true,
  headers: true,
  runAt: true,
  expiresAt: true,
  orderingKey: true,
  durability: true,
  transport: true,
};

/** Makes jobs out of what callers give, or throws before anything has happened. */
export class JobMaker {
  readonly #queue: string;
  readonly #clock: Clock;
  readonly #ids: DeliveryIds;
  readonly #transport: Transport;
  readonly #maxPayloadBytes: number;
  readonly #schemas: PayloadSchemas | undefined;
  readonly #goodNames = new Set<string>();

  constructor(
    queue: string,
    clock: Clock,
    ids: DeliveryIds,
    transport: Transport,
    options: { readonly maxPayloadBytes: number; readonly schemas: PayloadSchemas | undefined },
  ) {
    this.#queue = queue;
    this.#clock = clock;
    this.#ids = ids;
    this.#transport = transport;
    this.#maxPayloadBytes = options.maxPayloadBytes;
    this.#schemas = options.schemas;
  }

  /** Throws {@link ResilientQueueError} with `NAME_INVALID`, `PAYLOAD_…`, `ID_INVALID` or `OPTION_UNSUPPORTED`. */
  make(name: unknown, payload: unknown, options: EnqueueOptions | undefined): JobRecord {
    this.#checkName(name);
    const text = encodePayload(payload, this.#maxPayloadBytes);
    if (this.#schemas !== undefined) checkSchema(this.#schemas, name as string, text);
    const extras = options === undefined ? undefined : this.#readOptions(options);
    if (extras?.headers !== undefined) this.#checkSize(text, extras.headers);
    // An id that this library made, given back after fate `unknown`, keeps its bit; all others get a bit of their own.
    const callersId = options?.id;
    const delivery = callersId !== undefined && isDeliveryId(callersId) ? callersId : this.#ids.next();
    const job: JobRecord = {
      version: JOB_RECORD_VERSION,
      queue: this.#queue,
      id: callersId ?? delivery,
      delivery,
      name: name as string,
      payload: text,
      fate: 'not-delivered',
      enqueuedAt: this.#clock.now(),
      transport: this.#transport.name,
      ...extras,
    };
    this.#transport.check(job, options?.transport, payload);
    return job.transportOptions === undefined ? job : this.#withExpiry(job);
  }

  /** Of its own expiry and the transport's the earlier one holds. */
  #withExpiry(job: JobRecord): JobRecord {
    const expiresAt = this.#transport.expiresAt?.(job);
    if (expiresAt === undefined || expiresAt >= (job.expiresAt ?? Number.POSITIVE_INFINITY)) return job;
    return { ...job, expiresAt };
  }

  #checkName(name: unknown): void {
    if (this.#goodNames.has(name as string)) return;
    checkJobName(name);
    if (this.#goodNames.size < MAX_KNOWN_NAMES) this.#goodNames.add(name);
  }

  /** Headers travel with the payload, and count with it. */
  #checkSize(text: string, headers: Readonly<Record<string, string>>): void {
    const bytes = Buffer.byteLength(text) + Buffer.byteLength(JSON.stringify(headers));
    if (bytes <= this.#maxPayloadBytes) return;
    throw new ResilientQueueError(
      `Payload and headers are ${bytes} bytes of JSON, over maxPayloadBytes (${this.#maxPayloadBytes}).`,
      { code: 'PAYLOAD_TOO_LARGE', fate: 'not-delivered' },
    );
  }

  #readOptions(options: EnqueueOptions): Partial<JobRecord> {
    if (typeof options !== 'object' || options === null) {
      throw unsupported('options', 'must be an object');
    }
    for (const option of Object.keys(options)) {
      if (!Object.hasOwn(knownOptions, option)) {
        throw unsupported(
          `options.${option}`,
          `is no option; there are ${Object.keys(knownOptions).join(', ')}`,
        );
      }
    }
    const { id, signal, headers, runAt, expiresAt, orderingKey, durability, transport } = options;
    const { capabilities } = this.#transport;
    if (id !== undefined) checkJobId(id);
    if (
      signal !== undefined &&
      typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function'
    ) {
      throw unsupported('options.signal', 'must be an AbortSignal');
    }
    if (durability !== undefined && durability !== 'acked') {
      throw unsupported('options.durability', 'can only be "acked" in this release');
    }
    if (headers !== undefined) {
      this.#need(capabilities.headers, 'headers');
      checkHeaders(headers);
    }
    if (runAt !== undefined) this.#need(capabilities.runAt, 'runAt');
    if (orderingKey !== undefined) this.#need(capabilities.orderingKey, 'orderingKey');
    const expiry = expiresAt === undefined ? undefined : instant('expiresAt', expiresAt);
    if (expiry !== undefined && expiry <= this.#clock.now()) {
      throw unsupported('options.expiresAt', 'must be in the future');
    }
    return {
      ...(headers !== undefined && Object.keys(headers).length > 0 && { headers: { ...headers } }),
      ...(runAt !== undefined && { runAt: instant('runAt', runAt) }),
      ...(expiry !== undefined && { expiresAt: expiry }),
      ...(orderingKey !== undefined && { orderingKey }),
      ...(transport !== undefined && { transportOptions: ofJson(transport) }),
    };
  }

  #need(has: boolean, option: string): void {
    if (!has)
      throw unsupported(`options.${option}`, `cannot be honoured by the transport "${this.#transport.name}"`);
  }
}

function checkSchema(schemas: PayloadSchemas, name: string, text: string): void {
  if (!schemas.has(name)) {
    const known = schemas.names.map((other) => JSON.stringify(other)).join(', ');
    throw new ResilientQueueError(`There is no schema for this job name; there are ${known}.`, {
      code: 'NAME_INVALID',
      fate: 'not-delivered',
    });
  }
  const problem = schemas.problem(name, text);
  if (problem === undefined) return;
  throw new ResilientQueueError(`The payload of "${name}" is refused: ${problem}.`, {
    code: 'PAYLOAD_INVALID',
    fate: 'not-delivered',
  });
}

function checkHeaders(headers: unknown): void {
  // A Map, or the Headers of fetch, has nothing of its own to lay down.
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) {
    throw unsupported('options.headers', 'must be a plain object of strings');
  }
  for (const value of Object.values(headers)) {
    if (typeof value !== 'string') throw unsupported('options.headers', 'must have only strings as values');
  }
}

/** A copy as a backup will hold it, whatever becomes of the original. */
function ofJson(transport: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(transport));
  } catch {
    throw unsupported('options.transport', 'must be what JSON can hold');
  }
}

/** Epoch ms. */
function instant(option: string, value: Date | number): number {
  const at = value instanceof Date ? value.getTime() : value;
  if (typeof at !== 'number' || !Number.isFinite(at)) {
    throw unsupported(`options.${option}`, 'must be a valid Date or a number of epoch ms');
  }
  return at;
}

function unsupported(what: string, problem: string): ResilientQueueError {
  return new ResilientQueueError(`${what} ${problem}.`, {
    code: 'OPTION_UNSUPPORTED',
    fate: 'not-delivered',
  });
}
