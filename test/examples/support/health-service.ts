import type { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';
import { Child, redisUrl } from './child.js';

export interface HealthAnswer {
  readonly status: number;
  readonly type: string | null;
  readonly retryAfter: string | null;
  readonly body: Record<string, unknown>;
}

/** An example that prints `listening on http://…`, asked over HTTP. */
export class HealthService extends Child {
  #url = '';

  static async start(file: string, server: RedisServer, env: NodeJS.ProcessEnv = {}): Promise<HealthService> {
    const service = new HealthService(file, { env: { REDIS_URL: redisUrl(server), PORT: '0', ...env } });
    const [, url] = await service.printed(/listening on (http:\S+)/);
    service.#url = url as string;
    return service;
  }

  async ask(path: string, method = 'GET'): Promise<HealthAnswer> {
    const response = await fetch(this.#url + path, { method, headers: { connection: 'close' } });
    const text = await response.text();
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      retryAfter: response.headers.get('retry-after'),
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  /** Waits until `path` is answered with this status, of HTTP and, where it is given, of the body. */
  becomes(path: string, status: number, said?: string): Promise<HealthAnswer> {
    return waitFor(
      async () => {
        const answer = await this.ask(path);
        return answer.status === status && (said === undefined || answer.body.status === said) && answer;
      },
      { what: `${path} to answer ${status} ${said ?? ''}`, timeoutMs: 20_000, everyMs: 50 },
    );
  }
}
