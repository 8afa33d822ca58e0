// Closes a queue when nothing but that keeps its process alive. Bundled by its test: a test runner's process always has
// something else to do.
import { Redis } from 'ioredis';
import { MemoryBackupStore, ResilientQueue } from '../../src/index.js';

/** What the program is told. */
export interface ClosingSettings {
  readonly port: number;
}

const { port }: ClosingSettings = JSON.parse(process.argv[2] as string);
const store = new MemoryBackupStore();
const redis = new Redis(port);
const queue = new ResilientQueue('closing', { redis, backup: store, backupDeadlineMs: 4000 });
queue.on('error', () => {});
const maintenance = queue.isolate();
await queue.enqueue('job', 1);
const asked = new Promise<void>((resolve) => {
  store.acknowledge = () => {
    resolve();
    return new Promise(() => {});
  };
});
maintenance.dispose();
await asked;
const ended = new Promise((resolve) => redis.once('end', resolve));
redis.disconnect();
await ended;
await queue.close();
console.log('closed');
