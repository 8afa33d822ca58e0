import { checkOptions } from '../options/option-checks.js';
import { type FetchHandler, makeFetchHandler } from './fetch-handler.js';
import {
  checkProbe,
  formatOption,
  type HealthFormat,
  type HealthOptions,
  type ResolvedHealthOptions,
  resolveHealthOptions,
  resolveQueues,
  textOption,
} from './health-options.js';
import { type HealthResponse, healthResponse } from './health-response.js';
import type { HealthProbe, HealthResult } from './health-result.js';
import { alive, judge, started } from './judge.js';
import { type LambdaHandler, makeLambdaHandler } from './lambda-handler.js';
import { makeNestIndicator, type NestIndicatorFunction } from './nest-indicator.js';
import { makeNodeHandler, type NodeHandler } from './node-handler.js';
import type { QueueStatus } from './queue-status.js';
import { QueueWatch } from './queue-watch.js';
import { SharedLook } from './shared-look.js';
import { makeTerminusCheck, type TerminusCheck } from './terminus-check.js';

/** How one endpoint writes its answers. */
export interface HandlerOptions {
  /** @default `format` of {@link createHealth} */
  readonly format?: HealthFormat | undefined;
}

/** How {@link Health.respond} writes its answer. */
export interface RespondOptions extends HandlerOptions {
  /**
   * Of the request; a `HEAD` has no body. Leave it out for a framework that sees to that itself, as Koa and Fastify do: they take
   * the body's length from it. @default 'GET'
   */
  readonly method?: string | undefined;
}

/**
 * The health of one or several queues, for whatever asks. Nothing here rejects because of Redis, a backup or a queue; a probe or
 * option that there is not is a `TypeError` or `RangeError` (thrown at once where a handler is made).
 */
export interface Health {
  /** Answers a probe. Resolves after `timeoutMs` at the latest, whatever Redis does. */
  check(probe: HealthProbe): Promise<HealthResult>;
  /** The same as status, headers and body, for a framework that writes the answer itself, as Koa and Fastify do. */
  respond(probe: HealthProbe, options?: RespondOptions): Promise<HealthResponse>;
  /** For node:http, Express, and others that hand over its request and response. */
  nodeHandler(probe: HealthProbe, options?: HandlerOptions): NodeHandler;
  /** For Next.js, Hono and others of the fetch standard. */
  fetchHandler(probe: HealthProbe, options?: HandlerOptions): FetchHandler;
  /** For AWS Lambda. */
  lambdaHandler(probe: HealthProbe, options?: HandlerOptions): LambdaHandler;
  /** For NestJS with `@nestjs/terminus`. `key` names it in the answer. @default key: the probe's name */
  nestIndicator<Key extends string = string>(probe: HealthProbe, key?: Key): NestIndicatorFunction<Key>;
  /** For `@godaddy/terminus`. */
  terminusCheck(probe: HealthProbe): TerminusCheck;
}

/**
 * Makes the health of `queues`. Asks them only when it is asked itself, and once for all who ask together, so there is nothing
 * to close.
 *
 * @throws TypeError or RangeError for a bad queue or option.
 */
export function createHealth(
  queues: QueueStatus | readonly QueueStatus[],
  options: HealthOptions = {},
): Health {
  return new QueuesHealth(resolveQueues(queues), resolveHealthOptions(options));
}

class QueuesHealth implements Health {
  readonly #look: SharedLook;
  readonly #options: ResolvedHealthOptions;
  #hasStarted = false;

  constructor(queues: readonly QueueStatus[], options: ResolvedHealthOptions) {
    const watches = queues.map((queue) => new QueueWatch(queue, options.clock));
    this.#look = new SharedLook(watches, options);
    this.#options = options;
  }

  async check(probe: HealthProbe): Promise<HealthResult> {
    checkProbe(probe);
    if (probe === 'liveness') return this.#unseen(probe, alive);
    if (probe === 'startup' && this.#hasStarted) return this.#unseen(probe, started);
    const { sights, at, ageMs } = await this.#look.look();
    const verdict = judge(probe, sights, this.#options.details);
    if (probe === 'startup' && verdict.status === 'pass') this.#hasStarted = true;
    return { probe, ...verdict, checkedAt: at, ageMs };
  }

  async respond(probe: HealthProbe, options: RespondOptions = {}): Promise<HealthResponse> {
    checkProbe(probe);
    checkOptions('respond()', options, ['format', 'method']);
    const format = formatOption(options.format, this.#options.format);
    const method = textOption('method', options.method);
    return healthResponse(await this.check(probe), format, method, this.#options.retryAfterSeconds);
  }

  nodeHandler(probe: HealthProbe, options: HandlerOptions = {}): NodeHandler {
    return makeNodeHandler(this.#bound(probe, options));
  }

  fetchHandler(probe: HealthProbe, options: HandlerOptions = {}): FetchHandler {
    return makeFetchHandler(this.#bound(probe, options));
  }

  lambdaHandler(probe: HealthProbe, options: HandlerOptions = {}): LambdaHandler {
    return makeLambdaHandler(this.#bound(probe, options));
  }

  nestIndicator<Key extends string = string>(probe: HealthProbe, key?: Key): NestIndicatorFunction<Key> {
    checkProbe(probe);
    return makeNestIndicator(textOption('key', key) ?? (probe as string as Key), () => this.check(probe));
  }

  terminusCheck(probe: HealthProbe): TerminusCheck {
    checkProbe(probe);
    return makeTerminusCheck(() => this.check(probe));
  }

  /** Checked here, once: a handler that could fail on each request would be found out by the first. */
  #bound(probe: HealthProbe, options: HandlerOptions): (method?: string) => Promise<HealthResponse> {
    checkProbe(probe);
    checkOptions('a handler', options, ['format']);
    const format = formatOption(options.format, this.#options.format);
    return (method) => this.respond(probe, { format, method });
  }

  #unseen(probe: HealthProbe, verdict: Pick<HealthResult, 'status' | 'message'>): HealthResult {
    return { probe, ...verdict, checkedAt: this.#options.clock.now(), ageMs: 0, queues: [] };
  }
}
