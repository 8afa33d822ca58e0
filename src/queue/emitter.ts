import { EventEmitter } from 'eventemitter3';
import type { Listener, QueueEvents } from '../health/queue-events.js';

type Name = keyof QueueEvents;
type Wrapped = (event: unknown) => void;

/** Events whose listeners can do no harm: what they throw or reject with becomes an `error` event, or a process warning. */
export class Emitter {
  readonly #queue: string;
  readonly #inner = new EventEmitter();
  readonly #wrapped = new Map<Name, Map<unknown, Wrapped[]>>();
  readonly #warned = new Set<string>();

  constructor(queue: string) {
    this.#queue = queue;
  }

  /** Whether anybody listens: an event that nobody hears need not be made. */
  has(name: Name): boolean {
    return this.#inner.listenerCount(name) > 0;
  }

  on<N extends Name>(name: N, listener: Listener<N>, once: boolean): void {
    if (typeof listener !== 'function') {
      throw new TypeError(`The listener of '${name}' must be a function, got ${typeof listener}.`);
    }
    const wrapped: Wrapped = (event) => {
      if (once) this.#remove(name, listener, wrapped);
      try {
        const result = listener(event as QueueEvents[N]);
        if (isThenable(result)) result.then(undefined, (error) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    };
    const byListener = this.#wrapped.get(name) ?? new Map<unknown, Wrapped[]>();
    this.#wrapped.set(name, byListener);
    const list = byListener.get(listener);
    if (list) list.push(wrapped);
    else byListener.set(listener, [wrapped]);
    this.#inner.on(name, wrapped);
  }

  off<N extends Name>(name: N, listener: Listener<N>): void {
    const wrapped = this.#wrapped.get(name)?.get(listener)?.at(-1);
    if (wrapped) this.#remove(name, listener, wrapped);
  }

  emit<N extends Name>(name: N, event: QueueEvents[N]): void {
    if (!this.#inner.emit(name, event) && name === 'error') this.#warn(event as QueueEvents['error']);
  }

  clear(): void {
    this.#inner.removeAllListeners();
    this.#wrapped.clear();
  }

  #remove(name: Name, listener: unknown, wrapped: Wrapped): void {
    const byListener = this.#wrapped.get(name);
    const left = byListener?.get(listener)?.filter((other) => other !== wrapped) ?? [];
    if (left.length > 0) byListener?.set(listener, left);
    else byListener?.delete(listener);
    this.#inner.off(name, wrapped);
  }

  #failed(name: Name, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(`A listener threw a ${typeof thrown}.`);
    const event = { queue: this.#queue, kind: 'listener', error } as const;
    // The error listener's own failure would come back here for ever.
    if (name === 'error') this.#warn(event);
    else this.emit('error', event);
  }

  #warn({ kind, error }: QueueEvents['error']): void {
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    process.emitWarning(`Queue "${this.#queue}" (${kind}): ${error.message}`, 'ResilientQueueWarning');
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
