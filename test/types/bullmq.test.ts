import type { Queue } from 'bullmq';
import type { Queue as Queue5 } from 'bullmq5';
import { describe, expectTypeOf, it } from 'vitest';
import { fromBullMq } from '../../src/bullmq/index.js';
import { type BackupStore, type RedisClient, ResilientQueue, type UntypedJobs } from '../../src/index.js';
import { BullMqTransport } from '../../src/transport/bullmq.js';

// Checked by `tsc`; nothing here runs.

declare const redis: RedisClient;
declare const backup: BackupStore;
declare const queue: Queue<{ color: string }, void, 'cars' | 'walls'>;
declare const queue5: Queue5<{ color: string }, void, 'cars' | 'walls'>;
declare const untyped: Queue;

describe('a queue with a BullMqTransport', () => {
  it('takes no client, as the transport has its own', () => {
    const use = () => {
      const transport = new BullMqTransport(queue);
      void new ResilientQueue('paint', { backup, transport });
      void new ResilientQueue('paint', { backup, transport: new BullMqTransport(queue5) });
      void new ResilientQueue('paint', { backup, transport: new BullMqTransport(untyped) });
      // @ts-expect-error a second client would not be used
      void new ResilientQueue('paint', { redis, backup, transport });
      // @ts-expect-error nor can others do without one
      void new ResilientQueue('paint', { backup });
    };
    expectTypeOf(use).toBeFunction();
  });

  it("takes the options of the queue's own add(), but for those that the transport sets or cannot have", () => {
    const use = (of6: BullMqTransport<typeof queue>, of5: BullMqTransport<typeof queue5>) => {
      const transports = {
        of6: new ResilientQueue('paint', { backup, transport: of6 }),
        of5: new ResilientQueue('paint', { backup, transport: of5 }),
      };
      for (const paint of Object.values(transports)) {
        void paint.enqueue(
          'cars',
          {},
          { transport: { attempts: 3, backoff: { type: 'fixed', delay: 100 } } },
        );
        void paint.enqueue(
          'cars',
          {},
          { transport: { removeOnComplete: { age: 60 }, priority: 1, lifo: true } },
        );
        // @ts-expect-error it is options.id
        void paint.enqueue('cars', {}, { transport: { jobId: 'one' } });
        // @ts-expect-error it is options.runAt
        void paint.enqueue('cars', {}, { transport: { delay: 5 } });
        // @ts-expect-error the transport has one of its own
        void paint.enqueue('cars', {}, { transport: { deduplication: { id: 'x' } } });
        // @ts-expect-error flows are added whole
        void paint.enqueue('cars', {}, { transport: { parent: { id: '1', queue: 'q' } } });
        // @ts-expect-error a number
        void paint.enqueue('cars', {}, { transport: { attempts: 'three' } });
      }
      // @ts-expect-error BullMQ 5 has it, and it doubles jobs
      void transports.of5.enqueue('cars', {}, { transport: { repeat: { every: 5 } } });
      void new ResilientQueue<UntypedJobs, BullMqTransport<Queue>>('paint', {
        backup,
        transport: new BullMqTransport(untyped),
      });
    };
    expectTypeOf(use).toBeFunction();
  });
});

describe('fromBullMq', () => {
  it("takes what the queue's own methods take, of BullMQ 5 and 6", () => {
    const use = () => {
      for (const paint of [fromBullMq(queue, { backup }), fromBullMq(queue5, { backup })]) {
        void paint.add('cars', { color: 'blue' });
        void paint.add('walls', { color: 'pink' }, { jobId: 'one', delay: 5000, attempts: 3 });
        void paint.addBulk([{ name: 'cars', data: { color: 'blue' }, opts: { priority: 2 } }]);
        // @ts-expect-error no such job
        void paint.add('boats', { color: 'blue' });
        // @ts-expect-error a number is no color
        void paint.add('cars', { color: 7 });
        // @ts-expect-error no such option
        void paint.add('cars', { color: 'blue' }, { prio: 2 });
        // @ts-expect-error a number is no color
        void paint.addBulk([{ name: 'cars', data: { color: 7 } }]);
      }
    };
    expectTypeOf(use).toBeFunction();
  });

  it('answers with a job of those types, and the receipt', () => {
    const use = async () => {
      const paint = fromBullMq(queue, { backup, deduplicationMs: 86_400_000 });
      const job = await paint.add('cars', { color: 'blue' });
      expectTypeOf(job.id).toEqualTypeOf<string>();
      expectTypeOf(job.name).toEqualTypeOf<'cars' | 'walls'>();
      expectTypeOf(job.data).toEqualTypeOf<{ color: string }>();
      expectTypeOf(job.receipt.outcome).toEqualTypeOf<'enqueued' | 'backed-up' | 'duplicate'>();
      expectTypeOf(job.opts.attempts).toEqualTypeOf<number | undefined>();
      expectTypeOf(paint.bullMqQueue).toEqualTypeOf<typeof queue>();
      expectTypeOf(paint.resilientQueue.health().status).toBeString();
      // @ts-expect-error it may not be in Redis yet
      void job.getState();
      // @ts-expect-error a client of its own it has
      void fromBullMq(queue, { backup, redis });
      // @ts-expect-error no order is kept
      void fromBullMq(queue, { backup, ordering: 'queue' });
      // @ts-expect-error how durable a backup has to be only you know
      void fromBullMq(queue, {});
      // @ts-expect-error no queue
      void fromBullMq({ add: () => {} }, { backup });
    };
    expectTypeOf(use).toBeFunction();
  });
});
