// Works off the jobs of a queue with a consumer group: every job is run by one of the consumers, and what a dead consumer
// left behind is taken over. Start as many as you like, and end them with Ctrl-C.
//   npx tsx examples/consumer-group.ts      (REDIS_URL, default redis://127.0.0.1:6379; needs Redis 6.2 or later)
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { streamKey } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';

const STREAM = streamKey('orchestrator');
const GROUP = 'workers';
const CONSUMER = `${hostname()}-${process.pid}`;
const BATCH = 10;
// Longer than a live consumer ever takes for a whole batch, or its jobs run twice.
const CLAIM_AFTER_MS = Number(process.env.CLAIM_AFTER_MS ?? 60_000);

type Entry = [position: string, fields: string[] | null];

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
redis.on('error', (error) => console.error(`redis: ${error.message}`));
let isStopping = false;
process.once('SIGTERM', stop);
process.once('SIGINT', stop);

while (!isStopping) {
  try {
    await createGroup();
    console.log(`${CONSUMER} waits for jobs`);
    while (!isStopping) {
      for (const entry of [...(await abandoned()), ...(await fresh())]) await handle(entry);
    }
  } catch (error) {
    // Redis is away, or came back without the group. Jobs read but not acknowledged are claimed later.
    console.error(`waiting for Redis: ${error instanceof Error ? error.message : error}`);
    await sleep(500);
  }
}
redis.disconnect();

function stop(): void {
  isStopping = true;
  // The loop ends by itself, after the job in hand; unless Redis hangs, and with it the call that it waits for.
  setTimeout(() => redis.disconnect(), 1500).unref();
}

async function createGroup(): Promise<void> {
  try {
    await redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM');
  } catch (error) {
    if (!String(error).includes('BUSYGROUP')) throw error; // it is there already
  }
}

/** Jobs that a consumer read and, for whatever reason, did not acknowledge. */
async function abandoned(): Promise<Entry[]> {
  const reply = await redis.xautoclaim(STREAM, GROUP, CONSUMER, CLAIM_AFTER_MS, '0', 'COUNT', BATCH);
  return reply[1] as Entry[];
}

async function fresh(): Promise<Entry[]> {
  const from = ['GROUP', GROUP, CONSUMER, 'COUNT', BATCH, 'BLOCK', 500, 'STREAMS', STREAM, '>'] as const;
  const reply = (await redis.xreadgroup(...from)) as [string, Entry[]][] | null;
  return reply?.[0]?.[1] ?? [];
}

async function handle([position, fields]: Entry): Promise<void> {
  if (!fields) return; // deleted after it was read (Redis 6.2 still lists it)
  const { id, name, payload } = toObject(fields);
  try {
    await run(id, name, JSON.parse(payload ?? 'null'));
  } catch (error) {
    // Not acknowledged, so it is claimed and tried again. Count the tries (XPENDING tells them) and set it aside after a few.
    console.error(`job ${id} failed: ${error instanceof Error ? error.message : error}`);
    return;
  }
  // Done for the group, and gone from the stream: with one group nobody else needs it. With several, leave out XDEL and
  // trim with XTRIM MINID, up to the oldest position that any group still has pending or has not read.
  await redis.multi().xack(STREAM, GROUP, position).xdel(STREAM, position).exec();
}

/** A consumer that dies here leaves its job to another, so a job may run twice: do it by its `id`. */
async function run(id: string | undefined, name: string | undefined, payload: unknown): Promise<void> {
  console.log(`ran ${name} ${id} ${JSON.stringify(payload)}`);
}

function toObject(fields: readonly string[]): Record<string, string> {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) pairs.push([fields[i] as string, fields[i + 1] as string]);
  return Object.fromEntries(pairs);
}
