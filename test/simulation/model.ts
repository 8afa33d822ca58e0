import { isResilientQueueError, type JobRecord, type ParkedJob, streamKey } from '../../src/index.js';
import {
  type Acknowledged,
  type Call,
  QUEUE,
  type Seen,
  type SimulatedProcess,
} from './simulated-process.js';
import { callOf } from './simulated-site.js';
import type { World } from './world.js';

/** What timers may add to a deadline: a look at the connection, and a turn of the event loop. */
const SLACK_MS = 50;

/** All calls that were about one id. */
interface Job {
  readonly id: string;
  readonly calls: readonly Call[];
  /** Entries of the stream. */
  readonly copies: number;
}

/**
 * What the library promises, told of a world at rest. Returns every promise that was broken.
 *
 * 1. No id is laid down twice.
 * 2. An id with a receipt is laid down once; or it is parked, or dropped, and that was told; or Redis lost it and nobody is
 *    left who could know.
 * 3. An id that was only ever said to be nowhere is nowhere.
 * 4. Where order was asked for, one queue object's jobs stand in the order of their calls.
 * 5. Every call settles in time, the books are right, events make sense, and the store is empty.
 */
export async function judge(world: World): Promise<string[]> {
  const broken: string[] = [];
  const parked = (await listed(world, 'parked')).map((entry) => (entry as ParkedJob).job);
  const pending = (await listed(world, 'pending')) as JobRecord[];
  for (const job of jobsOf(world)) broken.push(...judgeJob(world, job, parked, pending));
  for (const process of world.processes) {
    broken.push(...judgeProcess(world, process, parked.length));
    if (world.scenario.options.ordering === 'queue') broken.push(...judgeOrder(world, process));
  }
  const isSomebodyThere = world.processes.some((process) => process.state === 'running');
  if (isSomebodyThere && pending.length > 0)
    broken.push(`The store still holds ${pending.map((job) => job.id)}`);
  return broken;
}

/** By id; a call that never learned its id is a job of its own. */
function jobsOf(world: World): Job[] {
  const calls = world.processes.flatMap((process) => process.calls);
  const byId = new Map<string, Call[]>();
  for (const call of calls) {
    if (call.id !== undefined) byId.set(call.id, [...(byId.get(call.id) ?? []), call]);
  }
  const copies = new Map<string, number>();
  const unclaimed = new Set<string>();
  for (const entry of world.site.redis.stream(streamKey(QUEUE))) {
    const id = entry.fields[1] as string;
    copies.set(id, (copies.get(id) ?? 0) + 1);
    const call = calls.find(({ number }) => number === callOf(entry));
    // It died before it could tell its caller the id.
    if (call && call.id === undefined && !byId.has(id)) byId.set(id, [call]);
    if (!byId.has(id)) unclaimed.add(id);
  }
  for (const id of unclaimed) byId.set(id, []);
  return [...byId].map(([id, of]) => ({ id, calls: of, copies: copies.get(id) ?? 0 }));
}

function judgeJob(
  world: World,
  { id, calls, copies }: Job,
  parked: readonly JobRecord[],
  pending: readonly JobRecord[],
): string[] {
  if (calls.length === 0) return [`${id} is in the stream, and nobody enqueued it`];
  if (copies > 1) return [`${id} is laid down ${copies} times`];
  const receipts = calls.filter(({ outcome }) => outcome !== undefined && !isResilientQueueError(outcome));
  if (receipts.length > 0) {
    if (copies === 1 || parked.some((job) => job.id === id)) return [];
    // A memory's parked jobs are gone with their process; it was told that they were parked.
    if (world.scenario.durability === 'memory' && isTold(world, 'parked', id)) return [];
    if (isDropped(world, id, calls) || isLostBeyondHelp(world, calls)) return [];
    return [`${id} (calls ${calls.map((call) => call.number)}) has a receipt and is nowhere`];
  }
  const isNowhere = calls.every(
    ({ outcome }) => isResilientQueueError(outcome) && outcome.fate === 'not-delivered',
  );
  if (!isNowhere) return [];
  if (copies > 0) return [`${id} was said to be nowhere, and is laid down`];
  if (pending.some((job) => job.id === id)) return [`${id} was said to be nowhere, and is in the store`];
  return [];
}

function isDropped(world: World, id: string, calls: readonly Call[]): boolean {
  if (isTold(world, 'dropped', id)) return true;
  // Who dropped it may have died before it could say so.
  const isExpired = calls.some(({ expiresAt }) => expiresAt !== undefined && expiresAt <= world.clock.now());
  return isExpired && world.processes.some((process) => process.state === 'dead');
}

function isTold(world: World, what: 'parked' | 'dropped', id: string): boolean {
  return world.processes.some((process) =>
    process.seen.some(({ name, event }) => name === what && event.id === id),
  );
}

/** Redis lost it, and nobody who was told within the loss window that Redis had it was alive to the end. */
function isLostBeyondHelp(world: World, calls: readonly Call[]): boolean {
  const loss = world.site.rollbacks.findLast(({ lost }) => calls.some((call) => lost.has(call.number)));
  if (loss === undefined) return false;
  const { lossWindow } = world.scenario.options;
  const told = toldOf(world, calls);
  if (told.length === 0) return false;
  if (lossWindow === false) return true;
  const windowMs = lossWindow?.ms ?? 30_000;
  const helpers = told.filter(
    ({ at, process, isRemembered, givenUpAt }) =>
      isRemembered && process.state === 'running' && loss.at - at <= windowMs && givenUpAt > loss.at,
  );
  if (helpers.length === 0) return true;
  // The helper remembers too little, or was told not to help: then it has to say so.
  const isReport = lossWindow?.onLoss === 'report';
  if (!isReport && lossWindow?.jobs === undefined) return false;
  return helpers.every(({ process }) =>
    losses(process).some(({ event }) => isReport || event.windowExceeded),
  );
}

/** Who was told when that Redis has it, and whether that is for him to remember. */
function toldOf(world: World, calls: readonly Call[]) {
  const { deadlineMs = 1000, attemptTimeoutMs = Math.min(400, deadlineMs) } = world.scenario.options;
  return world.processes.flatMap((process) =>
    process.acknowledged.flatMap(({ call: number, at, outcome, tookMs }) => {
      const call = calls.find((some) => some.number === number);
      if (call === undefined) return [];
      // A late answer counts only for whoever still waits for it; otherwise the job is in somebody's backup.
      const isWaitedFor =
        call.settledAt === at && !isResilientQueueError(call.outcome) && call.outcome?.outcome === 'enqueued';
      // What another delivery of the same id laid down is not this one's to lay down again.
      const isRemembered = outcome !== 'duplicate' && (tookMs < attemptTimeoutMs || isWaitedFor);
      // Sent again after an earlier loss, it may be found to be another delivery's by then.
      const isGivenUp = (later: Acknowledged) =>
        later.call === number && later.at > at && later.outcome === 'duplicate';
      const givenUpAt = process.acknowledged.find(isGivenUp)?.at ?? Number.POSITIVE_INFINITY;
      return [{ at, process, outcome, isRemembered, givenUpAt }];
    }),
  );
}

function losses(process: SimulatedProcess) {
  return process.seen.filter(
    (seen): seen is Extract<Seen, { name: 'redis-data-loss' }> => seen.name === 'redis-data-loss',
  );
}

function judgeProcess(world: World, process: SimulatedProcess, parked: number): string[] {
  const { number, state, calls, seen, queue } = process;
  const { options, processes, durability } = world.scenario;
  const broken: string[] = [];
  const complain = (text: string) => broken.push(`Process ${number}: ${text}`);

  const withinMs = (options.deadlineMs ?? 1000) + (options.backupDeadlineMs ?? 5000) + SLACK_MS;
  for (const { number: call, startedAt, settledAt } of calls) {
    if (settledAt === undefined) {
      if (state !== 'dead') complain(`call ${call} never settled`);
    } else if (settledAt - startedAt > withinMs) {
      complain(`call ${call} settled after ${settledAt - startedAt} ms`);
    }
  }

  const phases = seen.flatMap(({ name, event }) => (name === 'outage' ? [event.phase] : []));
  phases.forEach((phase, i) => {
    if (phase !== (i % 2 === 0 ? 'started' : 'ended')) complain(`outages went ${phases}`);
  });
  if (state === 'running' && phases.at(-1) === 'started') complain('its outage never ended');
  const dropped = seen.flatMap(({ name, event }) => (name === 'dropped' ? [event.id] : []));
  const isAlone = (id: string) => calls.filter((call) => call.id === id).length === 1;
  const twice = dropped.filter((id, i) => dropped.indexOf(id) !== i && isAlone(id));
  if (twice.length > 0) complain(`it dropped ${twice} twice`);
  for (const { name, event } of seen) {
    if (name === 'error' && event.kind === 'listener') complain(`a listener failed: ${event.error.message}`);
  }

  const found = losses(process);
  if (world.site.rollbacks.length === 0 && found.length > 0) complain('it found a loss where there was none');
  if (state === 'dead') return broken;

  const { totals } = queue.health();
  const receipts = (outcome: string) =>
    calls.filter((call) => call.outcome && 'outcome' in call.outcome && call.outcome.outcome === outcome)
      .length;
  const expected = {
    accepted: receipts('enqueued') + receipts('backed-up'),
    duplicates: receipts('duplicate'),
    rejected: calls.filter(({ outcome }) => isResilientQueueError(outcome) && outcome.code !== 'QUEUE_CLOSED')
      .length,
    redelivered: found.reduce((sum, { event }) => sum + event.redelivered, 0),
  };
  for (const [name, count] of Object.entries(expected)) {
    const total = totals[name as keyof typeof expected];
    if (total !== count) complain(`totals.${name} is ${total}, and it was ${count}`);
  }
  if (state !== 'running' || processes > 1) return broken;
  // What a store kept without saying so, or for one that is dead, is counted when it shows, and may be counted for another's.
  const isStoreStraight =
    world.processes.every((some) => some.state !== 'dead') &&
    world.scenario.actions.every(
      (some) =>
        some.do !== 'store' || some.verdicts.every(({ kind }) => kind === 'answered' || kind === 'failed'),
    );
  if (isStoreStraight && totals.pending !== 0) complain(`totals.pending is ${totals.pending} at rest`);
  const isFirst = number === 0;
  if (isFirst && durability === 'fsynced' && queue.health().backup.parked !== parked) {
    complain(`it says that ${queue.health().backup.parked} jobs are parked, and there are ${parked}`);
  }
  return broken;
}

/**
 * A job that was refused, dropped, parked after an attempt without an answer, or whose fate nobody knows may still be executed
 * at any time; all others stand in order.
 */
function judgeOrder(world: World, { number, calls }: SimulatedProcess): string[] {
  const accepted = new Set(
    calls
      .filter(
        ({ outcome }) =>
          outcome !== undefined && !isResilientQueueError(outcome) && outcome.outcome !== 'duplicate',
      )
      .map((call) => call.number),
  );
  const entries = world.site.redis.stream(streamKey(QUEUE));
  const isGivenUp = (id: string) => isTold(world, 'dropped', id) || isTold(world, 'parked', id);
  const kept = entries.filter((entry) => !isGivenUp(entry.fields[1] as string));
  const order = kept.map(callOf).filter((call) => accepted.has(call));
  const inversion = order.findIndex((call, i) => i > 0 && call < (order[i - 1] as number));
  return inversion === -1
    ? []
    : [`Process ${number}: call ${order[inversion]} stands behind call ${order[inversion - 1]}`];
}

async function listed(world: World, state: 'pending' | 'parked') {
  return (await world.store.admin.list(QUEUE, state, { limit: 10_000 })).jobs;
}
