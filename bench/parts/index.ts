/** Every part, in the order in which they are run: what it is about, and where its results stand. */
export const parts = {
  enqueue: 'enqueue() while Redis is well',
  transports: 'each transport against the producer that it replaces',
  backup: 'enqueue() during an outage',
  replay: 'replay against the bare script',
  backlog: 'replay of large backlogs: memory, and what a job costs',
  recognition: 'what recognition takes of Redis’s memory',
  outage: 'an outage as callers see it',
  'event-loop': 'delay of the event loop',
} as const;

export type PartName = keyof typeof parts;

export const partNames = Object.keys(parts) as PartName[];
