import {
  type Delivery,
  type DeliveryContext,
  type JobRecord,
  type RedisConnection,
  StreamsTransport,
} from '../../src/index.js';

/** The transport of streams, into which a test steps before and after a batch is delivered. */
export class HookedTransport extends StreamsTransport {
  /** Throws, or rejects, to have the batch fail. */
  before: (jobs: readonly JobRecord[]) => Promise<void> | void = () => {};
  /** What the queue is told instead. */
  after: (delivery: Delivery, jobs: readonly JobRecord[]) => Promise<unknown> | unknown = (delivery) =>
    delivery;

  override async deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery> {
    await this.before(jobs);
    return (await this.after(await super.deliver(connection, jobs, context), jobs)) as Delivery;
  }
}
