import { listKey } from '../../../examples/own-transport/list-transport.js';
import type { LaidDownJob } from '../../../src/conformance/index.js';
import { streamKey } from '../../../src/index.js';
import type { RedisServer } from '../../support/redis-server.js';
import { readStream } from '../../support/stream.js';

/** The jobs in a stream, as `StreamsTransport` lays them down. */
export async function streamed(server: RedisServer, queue: string): Promise<LaidDownJob[]> {
  return (await readStream(server, streamKey(queue))).map(
    ({ fields: { id = '', payload = '', headers } }) => ({
      id,
      payload: JSON.parse(payload) as unknown,
      ...(headers !== undefined && { headers: JSON.parse(headers) as Record<string, string> }),
    }),
  );
}

/** The jobs in a list, as the example's transport lays them down. */
export async function listed(server: RedisServer, queue: string): Promise<LaidDownJob[]> {
  const texts = (await server.command('LRANGE', listKey(queue), '0', '-1')) as string[];
  return texts.map((text) => {
    const { id, payload } = JSON.parse(text) as LaidDownJob;
    return { id, payload };
  });
}
