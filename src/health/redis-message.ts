import type { FailureKind } from '../policy/outage.js';

/** What the starting document's endpoint says of a Redis that answers, and of one that does not. */
export const REDIS_IS_UP = 'Redis is up';
export const NO_CONNECTION = 'Failed to connect to Redis';

// Fixed sentences: what Redis and its clients say themselves may name hosts, users and keys.
const sentences: Readonly<Record<FailureKind, string>> = {
  disconnected: NO_CONNECTION,
  'connection-lost': NO_CONNECTION,
  timeout: 'Redis did not answer in time',
  protocol: 'What answered is not understood',
  loading: 'Redis is still loading its data',
  readonly: 'Redis is read-only',
  masterdown: 'Redis has lost its primary',
  noreplicas: 'Redis has too few replicas to take writes',
  oom: 'Redis is out of memory',
  misconf: 'Redis cannot save, and takes no writes',
  busy: 'Redis is busy with a script',
  clusterdown: 'The Redis cluster is down',
  tryagain: 'Redis is moving a slot',
  maxclients: 'Redis has no connection left',
  auth: 'Redis refuses the credentials',
  redirect: 'Redis sends the client to another node',
  noperm: 'Redis does not permit the check',
  wrongtype: "The check's key is in use",
  crossslot: 'Redis refuses the check',
  refused: 'Redis refuses the check',
  unlisted: 'Redis failed the check',
};

/** One sentence for whoever looks, with nothing in it that Redis or its client said. */
export function redisMessage(kind: FailureKind, wasSent: boolean): string {
  return kind === 'unlisted' && !wasSent ? NO_CONNECTION : sentences[kind];
}
