// Shows the main job: a real Redis is killed, restarted, stopped and woken under load, and every job is counted.
//   npm run demo
//   npm run demo -- --seconds 8     the length of the scenario, 8 to 20
import { parseArgs } from 'node:util';
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { RedisServer } from '../test/support/redis-server.js';
import { inColour, seconds, withoutColour } from './demo/ansi.js';
import { isClean, ledgerTable } from './demo/ledger-table.js';
import { LiveView } from './demo/live-view.js';
import { Meter } from './demo/meter.js';
import { narrate } from './demo/narrate.js';
import { PlainView } from './demo/plain-view.js';
import { runUnderLoad } from './demo/run-under-load.js';
import { schedule } from './demo/scenario.js';
import { isLive, type View } from './demo/view.js';

const JOBS_PER_SECOND = 1000;
/** However wrong things go, it is over by then. */
const GIVE_UP_AFTER_MS = 38_000;

const print = (text: string) => process.stdout.write(`${text}\n`);

async function demo(scenarioSeconds: number): Promise<boolean> {
  const server = await RedisServer.start();
  const redis = new Redis(server.port, server.host);
  const queue = new ResilientQueue('demo', { redis, backup: new MemoryBackupStore() });

  const spans = schedule(scenarioSeconds);
  const meter = new Meter(queue);
  const isDrawn = isLive(process.stdout, process.env);
  const view: View = isDrawn
    ? new LiveView(process.stdout, meter, spans, JOBS_PER_SECOND)
    : new PlainView(print);
  const told: string[] = [];
  const tell = (event: string) => {
    view.event(meter.elapsedMs, event);
    told.push(`${seconds(meter.elapsedMs).padStart(8)}  ${event}`);
  };
  narrate(queue, tell);
  redis.on('ready', () => tell('the client has a connection'));
  endWell(view);

  view.start();
  const ledger = await runUnderLoad({
    queue,
    server,
    spans,
    jobsPerSecond: JOBS_PER_SECOND,
    meter,
    view,
    tell,
  }).finally(() => view.stop());
  redis.disconnect();
  await server.stop();

  const summary = ledger.summary();
  // What was drawn is gone with the screen it was drawn on.
  if (isDrawn) print(told.join('\n'));
  print(`\n${ledgerTable(summary, queue.health().totals.recognised, isDrawn ? inColour : withoutColour)}\n`);
  return isClean(summary);
}

/** Whatever ends this process, the terminal is given back; Redis is ended by the server's own hook, at exit. */
function endWell(view: View): void {
  const fail = (why: unknown) => {
    view.stop();
    console.error(why);
    process.exit(1);
  };
  process.on('exit', () => view.stop());
  process.once('uncaughtException', fail);
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  process.once('SIGHUP', () => process.exit(129));
  setTimeout(
    () => fail(`The demo was not over after ${seconds(GIVE_UP_AFTER_MS)}.`),
    GIVE_UP_AFTER_MS,
  ).unref();
}

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '18.5' } } });
const scenarioSeconds = Number(values.seconds);
if (!(scenarioSeconds >= 8 && scenarioSeconds <= 20)) {
  console.error(`--seconds must be a number from 8 to 20, got ${JSON.stringify(values.seconds)}`);
  process.exit(2);
}
demo(scenarioSeconds).then(
  (isWell) => process.exit(isWell ? 0 : 1),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
