import type { Command, CommandIo } from './command.js';
import { sayWrongCall } from './say-wrong-call.js';

/** What a command is made of. */
export interface CommandParts<Call> extends Omit<Command, 'run'> {
  /** What is asked for; undefined: only help. Throws `TypeError` or `RangeError` for a wrong call, and quotes no address. */
  readCall(args: readonly string[], env: CommandIo['env']): Call | undefined;
  /** Resolves with the exit code. */
  carryOut(call: Call, io: CommandIo): Promise<number>;
}

/** A command that explains itself, and says what was wrong with a call. */
export function makeCommand<Call>({ readCall, carryOut, ...said }: CommandParts<Call>): Command {
  return {
    ...said,
    async run(args, io) {
      let call: Call | undefined;
      try {
        call = readCall(args, io.env);
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
        io.err(sayWrongCall(said.name, error));
        return 2;
      }
      if (call !== undefined) return carryOut(call, io);
      io.out(said.help);
      return 0;
    },
  };
}
