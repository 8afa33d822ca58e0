import { scrub } from '../errors/scrub.js';
import type { Command, CommandIo } from './command.js';

/** Runs what `args` (without node and script) ask for. Resolves with the exit code; never rejects. */
export async function run(
  commands: readonly Command[],
  version: string,
  args: readonly string[],
  io: CommandIo,
): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v') {
    io.out(`${version}\n`);
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const asked = commands.find((command) => command.name === rest[0]);
    const text = asked?.help ?? overview(commands);
    if (name !== undefined) io.out(text);
    else io.err(text);
    return name === undefined ? 2 : 0;
  }
  const command = commands.find((one) => one.name === name);
  if (!command) {
    // Not quoted as it is: it may be a URL with a password.
    const known = commands.map((one) => one.name).join(', ');
    io.err(`There is no such command. Known: ${known}.\nSee: resilient-queue --help\n`);
    return 2;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    io.err(`${command.name} failed: ${scrub(error instanceof Error ? error.message : String(error))}\n`);
    return 2;
  }
}

function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'resilient-queue <command> [options]',
    '',
    ...lines,
    '',
    'resilient-queue <command> --help says more of one; --version prints the version.',
    '',
  ].join('\n');
}
