import * as cockatiel from 'cockatiel';
import * as cockatiel4 from 'cockatiel4';
import { describe, expectTypeOf, it } from 'vitest';
import type { Backoff, Breaker, QueueOptions } from '../../src/index.js';

// Checked by `tsc`; the test only calls what it checks.

type Options = Pick<QueueOptions, 'breaker' | 'retry'>;

describe('the options', () => {
  it('take the breakers of cockatiel 3', () => {
    const options: Options[] = [
      { breaker: new cockatiel.ConsecutiveBreaker(5) },
      { breaker: new cockatiel.CountBreaker({ threshold: 0.5, size: 10 }) },
      { breaker: new cockatiel.SamplingBreaker({ threshold: 0.5, duration: 1000 }) },
    ];
    expectTypeOf(options).items.toExtend<Options>();
    expectTypeOf<cockatiel.IBreaker>().toExtend<Breaker>();
  });

  it('take the breakers of cockatiel 4', () => {
    const options: Options[] = [
      { breaker: new cockatiel4.ConsecutiveBreaker(5) },
      { breaker: new cockatiel4.CountBreaker({ threshold: 0.5, size: 10 }) },
      { breaker: new cockatiel4.SamplingBreaker({ threshold: 0.5, duration: 1000 }) },
    ];
    expectTypeOf(options).items.toExtend<Options>();
    expectTypeOf<cockatiel4.IBreaker>().toExtend<Breaker>();
  });

  it('take the backoffs of cockatiel 3', () => {
    const options: Options[] = [
      { retry: { attempts: 2, backoff: new cockatiel.ConstantBackoff(50) } },
      { retry: { attempts: 2, backoff: new cockatiel.ExponentialBackoff({ maxDelay: 100 }) } },
      { retry: { attempts: 2, backoff: new cockatiel.IterableBackoff([20, 50]) } },
      { retry: { attempts: 2, backoff: new cockatiel.DelegateBackoff(() => 50) } },
    ];
    expectTypeOf(options).items.toExtend<Options>();
    expectTypeOf<cockatiel.IBackoffFactory<unknown>>().toExtend<Backoff>();
  });

  it('take the backoffs of cockatiel 4', () => {
    const options: Options[] = [
      { retry: { attempts: 2, backoff: new cockatiel4.ConstantBackoff(50) } },
      { retry: { attempts: 2, backoff: new cockatiel4.ExponentialBackoff({ maxDelay: 100 }) } },
      { retry: { attempts: 2, backoff: new cockatiel4.IterableBackoff([20, 50]) } },
      { retry: { attempts: 2, backoff: new cockatiel4.DelegateBackoff(() => 50) } },
    ];
    expectTypeOf(options).items.toExtend<Options>();
    expectTypeOf<cockatiel4.IBackoffFactory<unknown>>().toExtend<Backoff>();
  });
});
