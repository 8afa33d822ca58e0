import { bullMq } from './bullmq.js';
import type { Evidence } from './evidence.js';
import { rq } from './rq.js';
import { streams } from './streams.js';

/** Transports whose jobs can be looked for afterwards. */
export const verifiableTransports = ['streams', 'rq', 'bullmq'] as const;

/** A transport whose jobs can be looked for afterwards. */
export type VerifiableTransport = (typeof verifiableTransports)[number];

export function isVerifiable(transport: unknown): transport is VerifiableTransport {
  return verifiableTransports.some((name) => name === transport);
}

/** What the jobs of each transport leave behind. `prefix` is that of BullMQ's keys. */
export function evidenceOf(transport: VerifiableTransport, prefix: string): Evidence {
  return transport === 'streams' ? streams : transport === 'rq' ? rq : bullMq(prefix);
}
