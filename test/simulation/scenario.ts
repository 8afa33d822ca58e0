import type { QueueOptions } from '../../src/index.js';

/** What happens to one command between a client and its server. Times in ms from sending. */
export type Verdict =
  | { readonly kind: 'answered'; readonly afterMs: number }
  /** Executed, but the client hears of it only that its connection was cut, or that it took too long; or nothing, ever. */
  | { readonly kind: 'reply lost'; readonly afterMs: number; readonly rejects: 'cut' | 'timeout' | 'never' }
  /** As ioredis by default: the reply is lost, the command sent again, and the second answer told. */
  | { readonly kind: 'sent twice'; readonly afterMs: number; readonly againMs: number }
  /** Not executed, and the client says so. */
  | { readonly kind: 'refused'; readonly afterMs: number; readonly error: RefusalText }
  /** Neither executed nor answered. */
  | { readonly kind: 'swallowed' }
  /** Executed only much later; the client may have rejected it by then. */
  | {
      readonly kind: 'late';
      readonly afterMs: number;
      readonly ends: 'answered' | 'never' | 'timeout' | 'cut';
    }
  /** Answered with the reply to an earlier command, or with no reply of Redis's. */
  | { readonly kind: 'garbled'; readonly afterMs: number; readonly isExecuted: boolean };

/** What a client says where nothing was executed. */
export type RefusalText =
  | 'ECONNREFUSED'
  | 'LOADING Redis is loading the dataset in memory'
  | 'BUSY Redis is busy running a script.'
  | 'ERR max number of clients reached'
  | 'TRYAGAIN Multiple keys request during rehashing of slot'
  | 'NOSCRIPT No matching script.';

/** What a server answers to every write. */
export type WriteRefusal =
  | "READONLY You can't write against a read only replica."
  | "OOM command not allowed when used memory > 'maxmemory'."
  | 'NOREPLICAS Not enough good replicas to write.'
  | 'ODD something that nobody has heard of';

/** What happens to one call of a store. Times in ms. */
export type StoreVerdict =
  | { readonly kind: 'answered'; readonly afterMs: number }
  /** Changed nothing. */
  | { readonly kind: 'failed'; readonly afterMs: number }
  /** Cannot tell whether it took effect. */
  | { readonly kind: 'unsure'; readonly afterMs: number; readonly tookEffect: boolean }
  /** Takes effect, and does not say so in time, or ever. */
  | { readonly kind: 'slow'; readonly effectMs: number; readonly afterMs: number; readonly answers: boolean }
  | { readonly kind: 'silent' };

/** A job to enqueue. */
export interface JobPlan {
  /** The caller's id: few, so that they come again. */
  readonly id?: number;
  /** Gives back the id of an earlier call of its: so many calls ago. */
  readonly again?: number;
  readonly expiresInMs?: number;
  readonly abortInMs?: number;
}

/** Which of the processes: there are at most two at a time. */
export type Place = 0 | 1;

/** One thing that happens. */
export type Action =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'enqueue'; readonly by: Place; readonly jobs: readonly JobPlan[] }
  /** From now on commands get these verdicts in turn, again and again; none: all are answered. */
  | { readonly do: 'network'; readonly by: Place; readonly verdicts: readonly Verdict[] }
  | { readonly do: 'store'; readonly by: Place; readonly verdicts: readonly StoreVerdict[] }
  /** The client has no connection for a while; what is in flight is cut. `isQuiet`: it gives no hints. */
  | { readonly do: 'away'; readonly by: Place; readonly ms: number; readonly isQuiet: boolean }
  /** The server stops, as by SIGSTOP, and then executes what has gathered. */
  | { readonly do: 'stop server'; readonly ms: number }
  | { readonly do: 'refuse writes'; readonly text: WriteRefusal | undefined }
  | { readonly do: 'deny'; readonly commands: readonly string[] }
  /** The server restarts with all its data, and without its scripts. */
  | { readonly do: 'restart server' }
  /** Keeps what the server has now, for a rollback. */
  | { readonly do: 'snapshot' }
  /**
   * The server has only what it had at the last snapshot, or nothing. What is in flight dies with the old server, or is
   * executed by the new one, or by the old one, which everybody goes on talking to for `strayMs`.
   */
  | {
      readonly do: 'rollback';
      readonly inFlight: 'dies' | 'moves' | 'strays';
      readonly strayMs: number;
    }
  /** The process is killed; another takes its place after a while. */
  | { readonly do: 'crash'; readonly by: Place; readonly downMs: number }
  | { readonly do: 'close'; readonly by: Place; readonly timeoutMs: number; readonly downMs: number }
  | { readonly do: 'isolate'; readonly by: Place; readonly ms: number }
  | { readonly do: 'replay'; readonly by: Place }
  | { readonly do: 'check'; readonly by: Place; readonly timeoutMs: number };

/** The options of the simulated queues. */
export type SimulatedOptions = Omit<QueueOptions, 'redis' | 'backup' | 'clock' | 'transport'>;

/** Everything that decides how a simulation goes. */
export interface Scenario {
  /** Of all jitter. */
  readonly seed: number;
  readonly processes: 1 | 2;
  /** What the store says it is: only a memory's backlog is given up on `close()`. */
  readonly durability: 'memory' | 'fsynced';
  readonly options: SimulatedOptions;
  readonly actions: readonly Action[];
}
