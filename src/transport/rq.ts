export type { RqSerializer } from './rq/encoding.js';
export type { RqJobOptions } from './rq/job-options.js';
export { RqTransport, type RqTransportOptions } from './rq/rq-transport.js';
