import { bullMq } from './bullmq.js';
import type { Evidence } from './evidence.js';
import { rq } from './rq.js';
import { streams } from './streams.js';

/** A transport whose jobs can be looked for afterwards. */
export type VerifiableTransport = 'streams' | 'rq' | 'bullmq';

/** What the jobs of each transport leave behind. `prefix` is that of BullMQ's keys. */
export function evidenceOf(transport: VerifiableTransport, prefix: string): Evidence {
  return transport === 'streams' ? streams : transport === 'rq' ? rq : bullMq(prefix);
}
