import { ConsecutiveBreaker, CountBreaker, ExponentialBackoff, SamplingBreaker } from 'cockatiel';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis5';
import { describe, expectTypeOf, it } from 'vitest';
import type {
  BackupStore,
  EnqueueOptions,
  Enqueuer,
  JobInput,
  JobRecord,
  QueueOptions,
  QueueStatus,
  Receipt,
  RedisConnection,
  ResilientQueue,
  ResilientQueueError,
  Transport,
} from '../../src/index.js';

// Checked by `tsc`; nothing here runs. Each function is a caller's code.

interface Jobs {
  'faq.generate': { question: string };
  'cache.clear': undefined;
  'mail.send': { to: string } | undefined;
}

type Queue = ResilientQueue<Jobs>;
const never = (): boolean => false;

describe('a typed queue', () => {
  it('takes its jobs by name, with their payloads', () => {
    const use = (queue: Queue) => {
      expectTypeOf(queue.enqueue('faq.generate', { question: 'why' })).toEqualTypeOf<Promise<Receipt>>();
      void queue.enqueue('faq.generate', { question: 'why' }, { id: 'one', headers: { traceparent: 'x' } });
      // @ts-expect-error no such job
      void queue.enqueue('faq.generat', { question: 'why' });
      // @ts-expect-error a payload of another type
      void queue.enqueue('faq.generate', { question: 1 });
      // @ts-expect-error a field that is not there
      void queue.enqueue('faq.generate', { question: 'why', more: 1 });
      // @ts-expect-error no payload
      void queue.enqueue('faq.generate');
      // @ts-expect-error undefined is not admitted
      void queue.enqueue('faq.generate', undefined);
      // @ts-expect-error the payload of another job
      void queue.enqueue('mail.send', { question: 'why' });
    };
    expectTypeOf(use).parameter(0).toEqualTypeOf<Queue>();
  });

  it('lets the payload be left out where its type admits undefined', () => {
    const use = (queue: Queue) => {
      void queue.enqueue('cache.clear');
      void queue.enqueue('cache.clear', undefined, { id: 'one' });
      void queue.enqueue('mail.send');
      void queue.enqueue('mail.send', { to: 'me' });
      // @ts-expect-error this job has no payload
      void queue.enqueue('cache.clear', { all: true });
    };
    expectTypeOf(use).toBeFunction();
  });

  it('takes many at once, each checked by its own name', () => {
    const use = (queue: Queue) => {
      const jobs: JobInput<Jobs>[] = [
        { name: 'faq.generate', payload: { question: 'why' }, options: { id: 'one' } },
        { name: 'cache.clear' },
        { name: 'mail.send', payload: { to: 'me' } },
      ];
      expectTypeOf(queue.enqueueMany(jobs)).toEqualTypeOf<Promise<Receipt[]>>();
      // @ts-expect-error no payload
      void queue.enqueueMany([{ name: 'faq.generate' }]);
      // @ts-expect-error the payload of another job
      void queue.enqueueMany([{ name: 'faq.generate', payload: { to: 'me' } }]);
    };
    expectTypeOf(use).toBeFunction();
  });

  it('refuses options that no transport of its kind has', () => {
    const use = (queue: Queue) => {
      // @ts-expect-error a stream has no options of its own
      void queue.enqueue('cache.clear', undefined, { transport: { ttl: 1 } });
      // @ts-expect-error no such option
      void queue.enqueue('cache.clear', undefined, { idd: 'one' });
      // @ts-expect-error of a later release
      void queue.enqueue('cache.clear', undefined, { durability: 'replicated' });
      // @ts-expect-error headers are text
      void queue.enqueue('cache.clear', undefined, { headers: { n: 1 } });
    };
    expectTypeOf(use).toBeFunction();
  });

  it('may name its jobs by a type alias or an interface', () => {
    type Alias = { a: 1 };
    interface Interface {
      a: 1;
    }
    expectTypeOf<ResilientQueue<Alias>>().toHaveProperty('enqueue');
    expectTypeOf<ResilientQueue<Interface>>().toHaveProperty('enqueue');
  });
});

it('takes any name and payload where no jobs are named', () => {
  const use = (queue: ResilientQueue) => {
    void queue.enqueue('anything');
    void queue.enqueue('anything', { at: 'all' }, { id: 'one' });
    // @ts-expect-error a name is text
    void queue.enqueue(1);
  };
  expectTypeOf(use).toBeFunction();
});

it("gives a transport's own options their type", () => {
  const use = (queue: ResilientQueue<Jobs, Transport<{ ttlMs: number }>>) => {
    void queue.enqueue('cache.clear', undefined, { transport: { ttlMs: 1 } });
    // @ts-expect-error not that transport's option
    void queue.enqueue('cache.clear', undefined, { transport: { ttl: 1 } });
  };
  expectTypeOf(use).toBeFunction();
});

it('narrows a receipt by its outcome', () => {
  const use = (receipt: Receipt) => {
    expectTypeOf(receipt.id).toEqualTypeOf<string>();
    // @ts-expect-error a duplicate has none
    void receipt.durability;
    if (receipt.outcome === 'enqueued') {
      expectTypeOf(receipt.durability).toEqualTypeOf<'acked' | 'fsynced' | 'replicated'>();
    } else if (receipt.outcome === 'backed-up') {
      expectTypeOf(receipt.durability).toEqualTypeOf<'memory' | 'fsynced' | 'replicated'>();
    } else {
      expectTypeOf(receipt.outcome).toEqualTypeOf<'duplicate'>();
    }
  };
  expectTypeOf(use).toBeFunction();
});

it('narrows an unknown error by its guard', async () => {
  const { isResilientQueueError } = await import('../../src/index.js');
  const use = (error: unknown) => {
    if (!isResilientQueueError(error)) return;
    expectTypeOf(error).toEqualTypeOf<ResilientQueueError>();
    expectTypeOf(error.fate).toEqualTypeOf<'delivered' | 'not-delivered' | 'unknown'>();
    // @ts-expect-error no such code
    void (error.code === 'QUEUE_CLOSD');
  };
  expectTypeOf(use).toBeFunction();
});

describe('the redis option', () => {
  type Option = QueueOptions['redis'];

  it('takes every client that the library knows', () => {
    expectTypeOf<Redis>().toExtend<Option>();
    expectTypeOf<Redis5>().toExtend<Option>();
    expectTypeOf<ReturnType<typeof createClient>>().toExtend<Option>();
    expectTypeOf<ReturnType<typeof createClient5>>().toExtend<Option>();
    expectTypeOf<RedisConnection>().toExtend<Option>();
  });

  it('takes clients as their users make them', () => {
    if (never()) {
      const made = [
        new Redis('redis://localhost'),
        new Redis5({ lazyConnect: true }),
        createClient({ url: 'redis://localhost', disableOfflineQueue: true }),
        createClient({ RESP: 2, socket: { port: 1 } }),
        createClient5({ RESP: 3, name: 'api' }),
      ] satisfies Option[];
      expectTypeOf(made).toBeArray();
    }
  });

  it('takes a function that makes one, or a promise of one', () => {
    if (never()) {
      const made = [
        () => new Redis(),
        () => new Redis5(),
        () => createClient(),
        () => createClient().connect(),
        () => createClient5(),
        async () => createClient5().connect(),
      ] satisfies Option[];
      expectTypeOf(made).toBeArray();
    }
  });

  it('takes no URL and no options of a client', () => {
    expectTypeOf<string>().not.toExtend<Option>();
    expectTypeOf<URL>().not.toExtend<Option>();
    expectTypeOf<{ port: number }>().not.toExtend<Option>();
    expectTypeOf<() => string>().not.toExtend<Option>();
  });
});

it('takes the breakers and backoffs of cockatiel', () => {
  expectTypeOf<ConsecutiveBreaker>().toExtend<QueueOptions['breaker']>();
  expectTypeOf<SamplingBreaker>().toExtend<QueueOptions['breaker']>();
  expectTypeOf<CountBreaker>().toExtend<QueueOptions['breaker']>();
  expectTypeOf<{ failures: 5 }>().toExtend<QueueOptions['breaker']>();
  const options: Pick<QueueOptions, 'breaker' | 'retry'>[] = [
    { breaker: new ConsecutiveBreaker(5) },
    { breaker: new SamplingBreaker({ threshold: 0.5, duration: 1000 }) },
    { breaker: new CountBreaker({ threshold: 0.5, size: 10 }) },
    { retry: { attempts: 2, backoff: new ExponentialBackoff({ maxDelay: 100 }) } },
  ];
  expectTypeOf(options).toBeArray();
  // @ts-expect-error no such option
  const misspelt: QueueOptions['breaker'] = { threshold: 5 };
  expectTypeOf(misspelt).not.toBeAny();
});

it('runs other calls on the client that the caller names, and infers what they give', () => {
  const use = (queue: Queue, node: ReturnType<typeof createClient>) => {
    expectTypeOf(queue.execute((client: Redis) => client.get('key'))).toEqualTypeOf<Promise<string | null>>();
    expectTypeOf(queue.execute(async (client: typeof node) => client.exists('key'))).resolves.toBeNumber();
    void queue.execute(
      (client: Redis, { signal }) => {
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
        return client.incr('key');
      },
      { idempotent: false },
    );
    void queue.execute(async (client) => {
      expectTypeOf(client).toBeUnknown();
    });
  };
  expectTypeOf(use).toBeFunction();
});

it('any queue is a QueueStatus, and an Enqueuer of its jobs', () => {
  expectTypeOf<Queue>().toExtend<QueueStatus>();
  expectTypeOf<ResilientQueue>().toExtend<QueueStatus>();
  expectTypeOf<ResilientQueue<Jobs, Transport<{ ttlMs: number }>>>().toExtend<QueueStatus>();
  expectTypeOf<Queue>().toExtend<Enqueuer<Jobs>>();
  expectTypeOf<ResilientQueue>().toExtend<Enqueuer>();
  expectTypeOf<Queue>().toExtend<AsyncDisposable>();
  // A queue of some jobs takes not just any.
  expectTypeOf<Queue>().not.toExtend<Enqueuer<{ other: number }>>();
});

it('tests can fake an Enqueuer in a line', () => {
  const fake: Enqueuer<Jobs> = {
    enqueue: async () => ({ id: 'one', outcome: 'enqueued', durability: 'acked' }),
    enqueueMany: async () => [],
  };
  expectTypeOf(fake.enqueue).toBeFunction();
});

it('types each event', () => {
  const use = (queue: Queue) => {
    queue
      .on('health', (report) =>
        expectTypeOf(report.status).toEqualTypeOf<'up' | 'recovering' | 'degraded' | 'down'>(),
      )
      .once('parked', async ({ id, text }) => {
        expectTypeOf(id).toEqualTypeOf<string>();
        expectTypeOf(text).toEqualTypeOf<string | undefined>();
      })
      .off('error', ({ error }) => expectTypeOf(error).toExtend<Error>());
    // @ts-expect-error no such event
    queue.on('healthy', () => {});
  };
  expectTypeOf(use).toBeFunction();
});

it("a consumer's store needs no admin and no bytes", () => {
  class OwnStore implements BackupStore {
    readonly durability = 'replicated';
    async append(_queue: string, jobs: readonly JobRecord[]) {
      return jobs.map(() => 'added' as const);
    }
    async lease() {
      return undefined;
    }
    async acknowledge() {}
    async release() {}
    async park() {}
    async stats() {
      return { pending: 0, leased: 0, unknown: 0, parked: 0 };
    }
    async close() {}
  }
  expectTypeOf<OwnStore>().toExtend<QueueOptions['backup']>();
  expectTypeOf<Omit<OwnStore, 'park'>>().not.toExtend<BackupStore>();
  expectTypeOf<BackupStore['admin']>().toExtend<object | undefined>();
});

it('an option may be undefined, as callers forward them', () => {
  const forward = (id: string | undefined, clock: QueueOptions['clock']) => {
    const options: EnqueueOptions = { id, signal: undefined, headers: undefined, transport: undefined };
    return [options, { clock, deadlineMs: undefined } satisfies Partial<QueueOptions>];
  };
  expectTypeOf(forward).toBeFunction();
});
