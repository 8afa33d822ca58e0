import {
  type Clock,
  type Delivery,
  type DeliveryContext,
  type JobRecord,
  type RedisConnection,
  StreamsTransport,
  type Transport,
} from '../../src/index.js';

/** What a process was told of a job that Redis has. */
export interface Acknowledgement {
  readonly job: JobRecord;
  readonly outcome: 'delivered' | 'recognised' | 'duplicate';
  /** How long it waited for the answer. */
  readonly tookMs: number;
}

/** The transport of streams, which notes what a process was told that Redis has. */
export class ObservedTransport extends StreamsTransport implements Transport<undefined> {
  readonly #clock: Clock;
  readonly #onAcknowledged: (acknowledgement: Acknowledgement) => void;

  constructor(clock: Clock, onAcknowledged: (acknowledgement: Acknowledgement) => void) {
    super();
    this.#clock = clock;
    this.#onAcknowledged = onAcknowledged;
  }

  override async deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery> {
    const sentAt = this.#clock.now();
    const delivery = await super.deliver(connection, jobs, context);
    jobs.forEach((job, i) => {
      const outcome = delivery.outcomes[i];
      if (typeof outcome === 'string')
        this.#onAcknowledged({ job, outcome, tookMs: this.#clock.now() - sentAt });
    });
    return delivery;
  }
}
