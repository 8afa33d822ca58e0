import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  type BackupStore,
  type Enqueuer,
  type RedisClient,
  ResilientQueue,
  type UntypedJobs,
} from '../../src/index.js';

// Checked by `tsc`; nothing here runs.

declare const redis: RedisClient;
declare const backup: BackupStore;

describe('schemas', () => {
  it('give the jobs and their payloads their types: what each schema accepts', () => {
    const use = () => {
      const queue = new ResilientQueue('q', {
        redis,
        backup,
        schemas: {
          'zod.job': z.object({ question: z.string(), times: z.number().default(1) }),
          'valibot.job': v.object({ question: v.string() }),
          'arktype.job': type({ question: 'string' }),
          'no.payload': z.undefined(),
        },
      });
      void queue.enqueue('zod.job', { question: 'why' });
      void queue.enqueue('zod.job', { question: 'why', times: 2 }, { id: 'one' });
      void queue.enqueue('valibot.job', { question: 'why' });
      void queue.enqueue('arktype.job', { question: 'why' });
      void queue.enqueue('no.payload');
      void queue.enqueueMany([{ name: 'arktype.job', payload: { question: 'why' } }, { name: 'no.payload' }]);
      // @ts-expect-error no such job
      void queue.enqueue('zod.jobs', { question: 'why' });
      // @ts-expect-error a number is no question
      void queue.enqueue('zod.job', { question: 7 });
      // @ts-expect-error a number is no question
      void queue.enqueue('valibot.job', { question: 7 });
      // @ts-expect-error a number is no question
      void queue.enqueue('arktype.job', { question: 7 });
      // @ts-expect-error a payload is missing
      void queue.enqueue('arktype.job');
      const enqueuer: Enqueuer<{ 'valibot.job': { question: string } }> = queue;
      return enqueuer;
    };
    expectTypeOf(use).toBeFunction();
  });

  it('must fit the jobs where these are given', () => {
    const use = () => {
      new ResilientQueue<{ ask: { question: string } }>('q', {
        redis,
        backup,
        schemas: { ask: z.object({ question: z.string() }) },
      });
      new ResilientQueue<{ ask: { question: string } }>('q', {
        redis,
        backup,
        // @ts-expect-error a schema of another type
        schemas: { ask: z.object({ question: z.number() }) },
      });
      // @ts-expect-error a schema is missing
      new ResilientQueue<{ ask: string; tell: string }>('q', { redis, backup, schemas: { ask: z.string() } });
    };
    expectTypeOf(use).toBeFunction();
  });

  it('may be left out: then every name and payload goes', () => {
    const use = () => new ResilientQueue('q', { redis, backup });
    expectTypeOf(use).returns.toEqualTypeOf<ResilientQueue<UntypedJobs>>();
  });
});
