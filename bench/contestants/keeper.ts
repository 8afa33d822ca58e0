/** Somebody who keeps jobs where they survive an outage. */
export interface Keeper {
  /** Keeps the next job; resolves when it is kept. */
  keep(): Promise<unknown>;
  /** How many are kept. */
  kept(): Promise<number>;
  close(): Promise<unknown>;
}
