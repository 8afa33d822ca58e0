export type { BullMqQueue } from './bullmq/bullmq-queue.js';
export { BullMqTransport, type BullMqTransportOptions } from './bullmq/bullmq-transport.js';
export {
  type AddedJob,
  type FromBullMqOptions,
  fromBullMq,
  type ResilientBullMqQueue,
} from './bullmq/from-bullmq.js';
export type { BullMqJobOptions } from './bullmq/job-options.js';
