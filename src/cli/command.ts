/** Where a command writes, and what it may know of its surroundings. */
export interface CommandIo {
  /** The result: what a pipe gets. Whoever prints without end waits until this much is taken. */
  out(text: string): void | Promise<void>;
  /** What a person is told besides: progress, errors. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether `out` may have colours. */
  readonly hasColours: boolean;
  /** How wide `out` is, where it is a terminal. */
  readonly columns?: number | undefined;
}

/** One command of `resilient-queue`. */
export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What `resilient-queue <name> --help` prints. */
  readonly help: string;
  /** Resolves with the exit code: 0 is well, 1 is not, 2 is a mistake in how it was called, or nothing could be found out. */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}
