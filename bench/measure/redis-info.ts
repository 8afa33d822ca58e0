import type { RedisServer } from '../../test/support/redis-server.js';

/** The fields of one section of INFO. */
export async function readInfo(
  server: RedisServer,
  section: string,
): Promise<Readonly<Record<string, string>>> {
  const text = String(await server.command('INFO', section));
  return Object.fromEntries(
    [...text.matchAll(/^([^#:\r\n]+):(.*)\r$/gm)].map(([, name, value]) => [name, value]),
  );
}
