export type { TestRunner } from './test-runner.js';
export { describeTransport } from './transport-kit.js';
export type { LaidDownJob, TransportBench, TransportUnderTest } from './transport-under-test.js';
