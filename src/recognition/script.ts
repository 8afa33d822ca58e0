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

/**
 * Runs `script` with `keys` (at least one) and `args`. A server that does not have it (a restart, a new node, SCRIPT FLUSH)
 * answers NOSCRIPT without executing anything, and gets the source.
 */
export async function runScript(
  connection: RedisConnection,
  script: Script,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  const count = String(keys.length);
  const key = keys[0] as string;
  try {
    return await connection.send(['EVALSHA', script.sha, count, ...keys, ...args], key);
  } catch (error) {
    if (!isNoScript(error)) throw error;
    return connection.send(['EVAL', script.source, count, ...keys, ...args], key);
  }
}

// GLIDE words it "NoScriptError: …".
function isNoScript(error: unknown): boolean {
  return error instanceof Error && /\bNOSCRIPT\b|\bNoScriptError\b/.test(error.message);
}
