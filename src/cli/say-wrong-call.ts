/** What a person is told of a wrong call. What nobody expects is not quoted: it may be an address with a password. */
export function sayWrongCall(command: string, error: Error): string {
  return `${wordsOf(error)}\nSee: resilient-queue ${command} --help\n`;
}

function wordsOf(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined;
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL')
    return 'Unexpected argument: everything is given by options.';
  if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return error.message;
  // Node's own words quote it with all that was glued to it, and then explain for two lines.
  return /^Unknown option '--?[a-z-]{1,20}'/i.exec(error.message)?.[0].concat('.') ?? 'Unknown option.';
}
