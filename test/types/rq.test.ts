import { describe, expectTypeOf, it } from 'vitest';
import type { EnqueueOptions, Enqueuer, QueueStatus, Receipt, ResilientQueue } from '../../src/index.js';
import type { RqJobOptions, RqTransport } from '../../src/transport/rq.js';

// Checked by `tsc`; nothing here runs. Each function is a caller's code.

interface Jobs {
  'tasks.answer': [taskId: string, question: string];
  'tasks.tick': undefined;
}

type Queue = ResilientQueue<Jobs, RqTransport>;

describe('a typed queue for RQ', () => {
  it('takes calls by their functions, with their arguments and RQ’s options', () => {
    const use = (queue: Queue) => {
      const options = { id: 'a', runAt: new Date(), transport: { ttlSeconds: 600, retry: { max: 3 } } };
      expectTypeOf(queue.enqueue('tasks.answer', ['a', 'why'], options)).toEqualTypeOf<Promise<Receipt>>();
      void queue.enqueue('tasks.tick');
      void queue.enqueue('tasks.tick', undefined, {
        transport: { retry: { max: 3, intervalSeconds: [10, 30, 60] }, meta: { a: [1] }, atFront: true },
      });
      // @ts-expect-error an argument is missing
      void queue.enqueue('tasks.answer', ['a']);
      // @ts-expect-error no option of RQ's
      void queue.enqueue('tasks.tick', undefined, { transport: { ttl: 600 } });
      // @ts-expect-error of another type
      void queue.enqueue('tasks.tick', undefined, { transport: { ttlSeconds: '600' } });
      // @ts-expect-error retries need a number of them
      void queue.enqueue('tasks.tick', undefined, { transport: { retry: { intervalSeconds: 1 } } });
    };
    expectTypeOf(use).returns.toBeVoid();
  });

  it('fits where queues of any transport do', () => {
    expectTypeOf<Queue>().toExtend<QueueStatus>();
    expectTypeOf<Queue>().toExtend<Enqueuer<Jobs, RqTransport>>();
    expectTypeOf<EnqueueOptions<RqTransport>['transport']>().toEqualTypeOf<RqJobOptions | undefined>();
  });
});
