/** What the clocks of two machines may differ by. */
export const CLOCKS_MS = 60_000;
