export type { BullMqQueue } from './bullmq/bullmq-queue.js';
export { BullMqTransport, type BullMqTransportOptions } from './bullmq/bullmq-transport.js';
export type { BullMqJobOptions } from './bullmq/job-options.js';
