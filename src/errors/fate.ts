/**
 * Where a job is after an attempt.
 *
 * - `delivered`: it is laid down in its queue.
 * - `not-delivered`: it is nowhere; sending it again cannot double it.
 * - `unknown`: it may have been laid down, or may still be (a reply was lost, a hung server may wake up). Retry with the
 *   same `id`: the second copy is recognised.
 */
export type Fate = 'delivered' | 'not-delivered' | 'unknown';
