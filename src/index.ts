export type {
  AppendOutcome,
  BackupAdmin,
  BackupDurability,
  BackupStats,
  BackupStore,
  Lease,
  ParkedJob,
} from './backup/backup-store.js';
export { MemoryBackupStore } from './backup/memory.js';
export { type Clock, systemClock, type Timer } from './clock/clock.js';
export type { Fate } from './errors/fate.js';
export {
  type ErrorCode,
  type ErrorDetails,
  isResilientQueueError,
  ResilientQueueError,
} from './errors/resilient-queue-error.js';
export type { HealthReport, HealthStatus, QueuePhase } from './health/health-report.js';
export type {
  BackedUpEvent,
  DroppedEvent,
  DuplicateEvent,
  EnqueuedEvent,
  ErrorEvent,
  Listener,
  OutageEvent,
  ParkedEvent,
  QueueEvents,
  RedisDataLossEvent,
  ReplayEvent,
} from './health/queue-events.js';
export type { CheckOptions, QueueRecognition, QueueStatus } from './health/queue-status.js';
export type { Totals } from './health/totals.js';
export { JOB_RECORD_VERSION, type JobRecord } from './job/job-record.js';
export type { SchemaIssue, SchemaResult, SchemasOf, StandardSchema } from './job/standard-schema.js';
export type { Backoff, Breaker, BreakerState, IsolationHandle } from './policy/default-policy.js';
export type { CallContext } from './policy/guarded-call.js';
export type { FailureKind } from './policy/outage.js';
export { EnqueueManyError, isEnqueueManyError } from './queue/enqueue-many-error.js';
export type { EnqueueOptions } from './queue/enqueue-options.js';
export type { Enqueuer, JobInput, PayloadAndOptions, UntypedJobs } from './queue/enqueuer.js';
export type { BreakerOptions, QueueOptions } from './queue/options.js';
export type { Receipt } from './queue/receipt.js';
export { ResilientQueue } from './queue/resilient-queue.js';
export type { LossWindowOptions } from './recognition/loss-window.js';
export { type QueueKeys, queueKeys } from './recognition/queue-keys.js';
export {
  type Delivery,
  type DeliveryOutcome,
  type Layout,
  type RecognitionContext,
  recognise,
} from './recognition/recognise.js';
export { type RecognitionScripts, recognitionScripts } from './recognition/recognition-script.js';
export type { Script } from './recognition/script.js';
export type { RedisClient } from './redis/redis-client.js';
export type { Argument, ConnectionHints, RedisConnection } from './redis/redis-connection.js';
export type { ReplayOptions, ReplayProgress, ReplayResult } from './replay/replayer.js';
export type { ParkReason } from './replay/triage.js';
export { StreamsTransport, streamKey } from './transport/streams.js';
export type {
  DeliveryContext,
  OptionsOf,
  Transport,
  TransportCapabilities,
} from './transport/transport.js';
