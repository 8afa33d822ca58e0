import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, makeConsumer, manifest, run } from './support.js';

/** A service whose Redis is down, with a breaker and a backoff of its own; prints what became of a job. */
const service = `
  const redis = new ioredis.Redis({ port: 1, disconnectTimeout: 10 });
  redis.on('error', () => {});
  const breaker = new cockatiel.ConsecutiveBreaker(2);
  const backoff = new cockatiel.ConstantBackoff(10);
  const queue = new library.ResilientQueue('orders', {
    redis,
    backup: new library.MemoryBackupStore(),
    breaker,
    retry: { attempts: 2, backoff },
    deadlineMs: 100,
  });
  void (async () => {
    const { outcome } = await queue.enqueue('ship', {});
    const { pending } = await queue.close({ timeoutMs: 100 });
    redis.disconnect();
    console.log(outcome, pending);
  })();`;

const names = { library: manifest.name, cockatiel: 'cockatiel', ioredis: 'ioredis' };
const lines = (line: (name: string, from: string) => string) =>
  Object.entries(names).map(([name, from]) => line(name, from));
const imports = lines((name, from) => `import * as ${name} from '${from}';`);
const requires = lines((name, from) => `const ${name} = require('${from}');`);

describe.each([
  { major: 3, installed: 'cockatiel' },
  { major: 4, installed: 'cockatiel4' },
])("a consumer's project in which cockatiel is $major", ({ installed }) => {
  let folder: string;
  beforeAll(() => {
    ({ folder } = makeConsumer(['@types/node', 'ioredis'], { cockatiel: installed }));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    { how: 'import', flag: 'module', load: imports },
    { how: 'require', flag: 'commonjs', load: requires },
  ])('backs a job up during an outage: by $how', ({ flag, load }) => {
    const program = [...load, service].join('\n');
    const printed = run(process.execPath, [`--input-type=${flag}`, '--eval', program], folder);
    expect(printed).toBe('backed-up 1\n');
  });

  it('type-checks with its breakers and backoffs', () => {
    writeFileSync(join(folder, 'service.mts'), [...imports, service].join('\n'));
    compile(folder, '--skipLibCheck --module node16 --moduleResolution node16', ['service.mts']);
  });
});
