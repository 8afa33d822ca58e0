import { Redis } from 'ioredis';
import { listKey } from '../../../examples/own-transport/list-transport.js';
import type { LaidDownJob } from '../../../src/conformance/index.js';
import { streamKey } from '../../../src/index.js';
import type { RedisServer } from '../../support/redis-server.js';
import { readStream } from '../../support/stream.js';

/** The jobs in a stream, as `StreamsTransport` lays them down. */
export async function streamed(server: RedisServer, queue: string): Promise<LaidDownJob[]> {
  return (await readStream(server, streamKey(queue))).map(
    ({ fields: { id = '', name = '', payload = '', headers } }) => ({
      id,
      name,
      payload: JSON.parse(payload) as unknown,
      ...(headers !== undefined && { headers: JSON.parse(headers) as Record<string, string> }),
    }),
  );
}

/** The jobs in a list, as the example's transport lays them down. */
export async function listed(server: RedisServer, queue: string): Promise<LaidDownJob[]> {
  const texts = (await server.command('LRANGE', listKey(queue), '0', '-1')) as string[];
  return texts.map((text) => {
    const { id, name, payload } = JSON.parse(text) as LaidDownJob;
    return { id, name, payload };
  });
}

/** The jobs that wait for RQ's workers, with the arguments as their payload. */
export async function rqJobs(server: RedisServer, queue: string): Promise<LaidDownJob[]> {
  const jobs = await rqData(server, queue);
  return jobs.map(({ id, data }) => {
    const [name, , args] = JSON.parse(data.toString()) as [string, null, unknown[]];
    return { id, name, payload: args };
  });
}

/** What RQ's workers would read, in their order. They pass over an id whose job has expired. */
export async function rqData(server: RedisServer, queue: string) {
  const redis = new Redis({ port: server.port });
  try {
    const ids = await redis.lrange(`rq:queue:${queue}`, 0, -1);
    const jobs = await Promise.all(
      ids.map(async (id) => ({ id, data: await redis.hgetBuffer(`rq:job:${id}`, 'data') })),
    );
    return jobs.flatMap(({ id, data }) => (data === null ? [] : [{ id, data }]));
  } finally {
    redis.disconnect();
  }
}
