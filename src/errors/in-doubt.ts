/** What is said of a job that may have been laid down all the same: its fate is unknown, whatever `cause` says of it. */
export class InDoubt extends Error {
  override readonly name = 'InDoubt';

  /** `cause`: an error of Redis or its client, or what Redis replied. */
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
