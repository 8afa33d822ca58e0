import { createHash } from 'node:crypto';
import type { Argument, RedisConnection } from '../redis/redis-connection.js';

/** A Lua script and the SHA1 that Redis knows it by. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

export function makeScript(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** The command that runs `script`, to be continued with `keyCount` keys (at least one) and the arguments. */
export function scriptCommand(script: Script, keyCount: number): Argument[] {
  return ['EVALSHA', script.sha, String(keyCount)];
}

/**
 * Sends what `scriptCommand()` began, and resolves with what `read` makes of the reply. A server that does not have the script
 * (a restart, a new node, SCRIPT FLUSH) answers NOSCRIPT without executing anything, and gets the source.
 *
 * On the way of every `enqueue()`, so it makes one promise and no more.
 */
export function sendScript<T>(
  connection: RedisConnection,
  script: Script,
  command: readonly Argument[],
  read: (reply: unknown) => T,
): Promise<T> {
  const key = command[3] as string;
  return connection.send(command, key).then(read, (error: unknown) => {
    if (!isNoScript(error)) throw error;
    return connection.send(['EVAL', script.source, ...command.slice(2)], key).then(read);
  });
}

/** Runs `script` with `keys` (at least one) and `args`. */
export function runScript(
  connection: RedisConnection,
  script: Script,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  const command = [...scriptCommand(script, keys.length), ...keys, ...args];
  return sendScript(connection, script, command, (reply) => reply);
}

// GLIDE words it "NoScriptError: …".
function isNoScript(error: unknown): boolean {
  return error instanceof Error && /\bNOSCRIPT\b|\bNoScriptError\b/.test(error.message);
}
