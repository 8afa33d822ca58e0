import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPython } from '../../../scripts/find-python.js';
import { RedisServer } from '../../support/redis-server.js';
import { RqSite } from '../../support/rq/rq-site.js';
import { waitFor } from '../../support/wait-for.js';
import { Child, redisUrl, root } from '../support/child.js';

const question = 'What if Redis is down?';

interface Answer {
  readonly status: number;
  readonly body: { readonly id: string; readonly outcome: string; readonly status: string };
}

class Service extends Child {
  #url = '';

  async listens(): Promise<this> {
    const [, url] = await this.printed(/(?:listening|Running) on (http:\/\/127\.0\.0\.1:\d+)/);
    this.#url = url as string;
    return this;
  }

  async ask(): Promise<Answer> {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const body = JSON.stringify({ question, repo: 'morningai' });
    return answerOf(await fetch(`${this.#url}/tasks`, { method: 'POST', headers, body }));
  }

  async health(): Promise<Answer> {
    return answerOf(await fetch(`${this.#url}/health/redis`, { headers: { connection: 'close' } }));
  }
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

it('has one worker run the jobs of a Flask service and of its twin, and those of the twin’s outage, too', async () => {
  await using server = await RedisServer.start();
  const examples = join(root, 'examples/rq');
  await using site = await RqSite.open(server, 'json', join(examples, 'tasks.py'));
  const backup = join(site.directory, 'backup.jsonl');
  const env = { REDIS_URL: redisUrl(server), PORT: '0', BACKUP_FILE: backup };
  const program = [await findPython('rq', 'flask')];
  await using flask = new Service(join(examples, 'flask_app.py'), { env, program });
  await using twin = new Service('examples/rq/service.ts', { env });
  await Promise.all([flask.listens(), twin.listens()]);

  const results = (ids: readonly string[]) =>
    site.ask(
      'fetch = lambda id: Job.fetch(id, connection=connection, serializer=serializer)',
      `answer = [fetch(id).return_value() for id in ${JSON.stringify(ids)}]`,
    );
  const resultOf = (id: string) => ({ task_id: id, answer: `${question} See morningai.` });

  const up = [await flask.ask(), await twin.ask()];
  for (const answer of up) expect(answer).toMatchObject({ status: 202, body: { outcome: 'enqueued' } });
  expect([await flask.health(), await twin.health()].map(({ status }) => status)).toEqual([200, 200]);
  const ids = up.map(({ body }) => body.id);
  const log = await site.burst('orchestrator');
  expect(await results(ids), log).toEqual(ids.map(resultOf));

  await server.kill();
  const down = [await flask.ask(), await twin.ask(), await twin.ask()];
  for (const answer of down) expect(answer).toMatchObject({ status: 202, body: { outcome: 'backed-up' } });
  expect(await flask.health()).toMatchObject({ status: 503, body: { status: 'down' } });
  await waitFor(async () => (await twin.health()).body.status === 'degraded', { what: 'the twin to notice' });

  await server.restart();
  await waitFor(async () => (await twin.health()).body.status === 'up', {
    ...{ what: 'the twin to replay', timeoutMs: 20_000, everyMs: 50 },
  });
  await site.burst('orchestrator');
  const [left, ...replayed] = down.map(({ body }) => body.id) as [string, ...string[]];
  expect(await results(replayed)).toEqual(replayed.map(resultOf));
  // The other's is where it was put: nobody replays it.
  expect(existsSync(backup) && readFileSync(backup, 'utf8')).toContain(left);
  expect(await server.command('EXISTS', `rq:job:${left}`)).toBe(0);

  twin.signal('SIGTERM');
  expect(await twin.ended).toEqual({ code: 0, signal: null });
  expect(twin.output).toContain('closed, 0 jobs were left in the backup');
});
