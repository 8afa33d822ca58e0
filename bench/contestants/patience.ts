/** Deadlines with which a stall of the machine is a slow round, and not an outage. They cost what any others cost. */
export const patience = { deadlineMs: 30_000, attemptTimeoutMs: 30_000 };
