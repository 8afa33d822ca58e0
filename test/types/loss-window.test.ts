import { describe, expectTypeOf, it } from 'vitest';
import type {
  DroppedEvent,
  LossWindowOptions,
  QueueOptions,
  RedisDataLossEvent,
  ResilientQueue,
} from '../../src/index.js';

// Checked by `tsc`; nothing here runs. Each function is a caller's code.

describe('the option lossWindow', () => {
  it('is false, or any part of what there is', () => {
    const use = (set: (lossWindow: QueueOptions['lossWindow']) => void) => {
      set(undefined);
      set(false);
      set({});
      set({ ms: 30_000, jobs: undefined });
      set({ bytes: 1024, onLoss: 'report' });
      // @ts-expect-error there is nothing more to turn on
      set(true);
      // @ts-expect-error no such choice
      set({ onLoss: 'forget' });
      // @ts-expect-error no such part
      set({ seconds: 30 });
    };
    expectTypeOf(use).toBeFunction();
    expectTypeOf<LossWindowOptions['onLoss']>().toEqualTypeOf<'redeliver' | 'report'>();
  });
});

describe('the event redis-data-loss', () => {
  it('carries its figures', () => {
    const use = (queue: ResilientQueue) => {
      queue.on('redis-data-loss', (event) => {
        expectTypeOf(event).toEqualTypeOf<RedisDataLossEvent>();
        expectTypeOf(event.redelivered).toEqualTypeOf<number>();
        expectTypeOf(event.windowExceeded).toEqualTypeOf<boolean>();
        // @ts-expect-error an event is nobody's to change
        event.remembered = 0;
      });
      // @ts-expect-error no such event
      queue.on('data-loss', () => {});
    };
    expectTypeOf(use).toBeFunction();
    expectTypeOf<DroppedEvent['reason']>().toEqualTypeOf<'expired' | 'superseded' | 'closed' | 'lost'>();
  });
});
