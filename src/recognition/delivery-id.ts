import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock/clock.js';

/** Jobs in an epoch, and so bits in its bitmap: 2^20 bits are 128 KiB in Redis. */
export const EPOCH_JOBS = 2 ** 20;

// 11 hexadecimal digits of epoch ms (enough until the year 2527) and 64 random bits.
const generated = /^[0-9a-f]{27}-(?:0|[1-9][0-9]{0,6})$/;

const EPOCH_CHARACTERS = 27;
const SEQ_DIGITS = 7;
const DASH = 0x2d;
const ZERO = 0x30;

/** A delivery id taken apart. */
export interface DeliveryId {
  readonly epoch: string;
  readonly seq: number;
}

/** `<epoch>-<seq>` as its parts. */
export function parseDeliveryId(delivery: string): DeliveryId {
  const dash = delivery.lastIndexOf('-');
  return { epoch: delivery.slice(0, dash), seq: Number(delivery.slice(dash + 1)) };
}

/** Whether `id` is one that {@link DeliveryIds} makes. Such an id, given back by a caller, is recognised by its bit. */
export function isDeliveryId(id: string): boolean {
  // The bound on seq also keeps a caller's string from allocating a bitmap of 512 MiB.
  return generated.test(id) && parseDeliveryId(id).seq < EPOCH_JOBS;
}

/**
 * The seq of an id of `epoch` that {@link isDeliveryId} says yes to; undefined for any other. A fifth of the work of taking the
 * id apart, for whoever has many of an epoch.
 */
export function seqIn(epoch: string, id: string): number | undefined {
  const from = EPOCH_CHARACTERS + 1;
  if (epoch === '' || !id.startsWith(epoch) || id.charCodeAt(EPOCH_CHARACTERS) !== DASH) return undefined;
  const isPadded = id.charCodeAt(from) === ZERO && id.length > from + 1;
  if (id.length === from || id.length > from + SEQ_DIGITS || isPadded) return undefined;
  let seq = 0;
  for (let at = from; at < id.length; at++) {
    const digit = id.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    seq = seq * 10 + digit;
  }
  return seq < EPOCH_JOBS ? seq : undefined;
}

/**
 * Makes delivery ids. An epoch belongs to one of these in one process, so no two jobs ever share a bit: it starts with the
 * time (epochs sort by age) and has 64 random bits; it is renewed every {@link EPOCH_JOBS} ids.
 */
export class DeliveryIds {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #onEpoch: (epoch: string) => void;
  #epoch = '';
  /** One for a million jobs. */
  readonly #epochs = new Set<string>();
  #prefix = '';
  #seq = EPOCH_JOBS;

  /** `onEpoch` is told of every new epoch before its first id is used. */
  constructor(clock: Pick<Clock, 'now'>, onEpoch: (epoch: string) => void) {
    this.#clock = clock;
    this.#onEpoch = onEpoch;
  }

  /** The epoch that the next id is of. */
  get epoch(): string {
    if (this.#seq >= EPOCH_JOBS) this.#renew();
    return this.#epoch;
  }

  /** Whether this object made `epoch`. */
  owns(epoch: string): boolean {
    return this.#epochs.has(epoch);
  }

  next(): string {
    if (this.#seq >= EPOCH_JOBS) this.#renew();
    return this.#prefix + this.#seq++;
  }

  #renew(): void {
    const time = Math.floor(this.#clock.now()).toString(16).padStart(11, '0').slice(-11);
    this.#epoch = time + randomBytes(8).toString('hex');
    this.#epochs.add(this.#epoch);
    this.#prefix = `${this.#epoch}-`;
    this.#seq = 0;
    this.#onEpoch(this.#epoch);
  }
}
