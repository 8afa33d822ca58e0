import type { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';
import { Child, redisUrl } from './child.js';

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly type: string | null;
  readonly cacheControl: string | null;
  readonly contentLength: string | null;
  readonly body: Record<string, unknown>;
}

/** An example that serves HTTP at a port of its own, and prints where. */
export class Service extends Child {
  /** Where it listens. */
  url = '';

  static async start(file: string, server: RedisServer, env: NodeJS.ProcessEnv = {}): Promise<Service> {
    const service = new Service(file, { env: { REDIS_URL: redisUrl(server), PORT: '0', ...env } });
    const [, port] = await service.printed(/listening on http:\S+:(\d+)/);
    service.url = `http://127.0.0.1:${port}`;
    return service;
  }

  get(path: string): Promise<Answer> {
    return this.#fetch(path, {});
  }

  head(path: string): Promise<Answer> {
    return this.#fetch(path, { method: 'HEAD' });
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  /** Waits until `path` answers with this status, of HTTP and, where it is given, of the body. */
  becomes(path: string, status: number, said?: string): Promise<Answer> {
    const isSo = (answer: Answer) =>
      answer.status === status && (said === undefined || answer.body.status === said);
    return this.until(path, `to answer ${status} ${said ?? ''}`, isSo);
  }

  /** Waits until the answer of `path` is so. */
  until(path: string, what: string, isSo: (answer: Answer) => boolean): Promise<Answer> {
    return waitFor(
      async () => {
        const answer = await this.get(path);
        return isSo(answer) && answer;
      },
      { what: `${path} ${what}`, timeoutMs: 20_000, everyMs: 50 },
    );
  }

  async #fetch(path: string, { headers, ...init }: RequestInit): Promise<Answer> {
    // A connection that is kept alive would keep a service from ending.
    const sent = { 'content-type': 'application/json', ...headers, connection: 'close' };
    const response = await fetch(this.url + path, { ...init, headers: sent });
    const text = await response.text();
    const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : text ? { text } : {};
    const { status } = response;
    return {
      ...{ status, body },
      retryAfter: response.headers.get('retry-after'),
      type: response.headers.get('content-type'),
      cacheControl: response.headers.get('cache-control'),
      contentLength: response.headers.get('content-length'),
    };
  }
}
