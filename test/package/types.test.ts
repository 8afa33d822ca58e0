import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  dist,
  filesIn,
  importsOf,
  isAllowedOutside,
  makeConsumer,
  manifest,
  specifier,
  subpaths,
} from './support.js';

/** What a service writes, and one mistake that the types must notice (so that none of them is `any`). */
const program = `
  type Jobs = { 'faq.generate': { question: string } };
  declare const options: ConstructorParameters<typeof library.ResilientQueue<Jobs>>[1];

  const queue = new library.ResilientQueue<Jobs>('orchestrator', options);
  export const enqueuer: library.Enqueuer<Jobs> = queue;
  export const status: library.QueueStatus = queue;
  export const report: library.HealthReport = queue.health();
  export type Stored = ReturnType<library.BackupStore['append']>;

  export async function ask(question: string): Promise<string> {
    try {
      const receipt: library.Receipt = await queue.enqueue('faq.generate', { question }, { id: 'one' });
      return receipt.outcome;
    } catch (error) {
      if (library.isResilientQueueError(error)) return error.code;
      throw error;
    }
  }

  // @ts-expect-error a payload of the wrong type
  void queue.enqueue('faq.generate', { question: 1 });
`;

const declarations = () => filesIn(dist()).filter((file) => /\.d\.[cm]?ts$/.test(file));

describe('the declarations we ship', () => {
  it('are there, for both formats', () => {
    expect(declarations()).toEqual(expect.arrayContaining(['index.d.ts', 'index.d.cts']));
  });

  it('refer only to each other, to the dependencies and to Node', () => {
    const isOwn = (file: string, name: string) =>
      name.startsWith('.') && !posix.join(posix.dirname(file), name).startsWith('..');
    const strangers = declarations().flatMap((file) =>
      importsOf(join(dist(), file))
        .filter((name) => !isOwn(file, name) && !isAllowedOutside(name) && name !== 'node')
        .map((name) => `${file} refers to ${name}`),
    );
    expect(strangers).toEqual([]);
  });

  it('say any nowhere', () => {
    expect(declarations().flatMap(placesOfAny)).toEqual([]);
  });
});

describe("a consumer's project without a Redis client", () => {
  let consumer: ReturnType<typeof makeConsumer>;
  beforeAll(() => {
    consumer = makeConsumer(['@types/node']);
    const everySubpath = subpaths.map(
      ({ subpath }, at) => `export type Subpath${at} = typeof import('${specifier(subpath)}');`,
    );
    const imports = {
      'es-module.mts': `import * as library from '${manifest.name}';`,
      'common-js.cts': `import library = require('${manifest.name}');`,
    };
    for (const [file, line] of Object.entries(imports)) {
      writeFileSync(join(consumer.folder, file), [line, program, ...everySubpath].join('\n'));
    }
  });
  afterAll(() => rmSync(consumer.folder, { recursive: true }));

  it.each([
    { resolution: 'node16', module: 'node16' },
    { resolution: 'bundler', module: 'preserve' },
  ])('type-checks with moduleResolution $resolution, our declarations included', ({ resolution, module }) => {
    const flags = `--skipLibCheck false --module ${module} --moduleResolution ${resolution}`;
    compile(consumer.folder, flags, ['es-module.mts', 'common-js.cts']);
  });
});

describe("a consumer's project with a Redis client", () => {
  const clients = {
    ioredis: "import { Redis } from 'ioredis'; const redis = new Redis();",
    ioredis5: "import { Redis } from 'ioredis5'; const redis = new Redis();",
    redis: "import { createClient } from 'redis'; const redis = createClient();",
    redis5: "import { createClient } from 'redis5'; const redis = createClient();",
  };
  let consumer: ReturnType<typeof makeConsumer>;
  beforeAll(() => {
    consumer = makeConsumer(['@types/node', ...Object.keys(clients)]);
  });
  afterAll(() => rmSync(consumer.folder, { recursive: true }));

  it.each(Object.entries(clients))('can hand over one of %s as it is', (name, makeClient) => {
    const lines = [
      `import { MemoryBackupStore, ResilientQueue } from '${manifest.name}';`,
      makeClient,
      "export const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });",
    ];
    writeFileSync(join(consumer.folder, `${name}.mts`), lines.join('\n'));
    // The client's own declarations are not ours to judge.
    compile(consumer.folder, '--skipLibCheck --module node16 --moduleResolution node16', [`${name}.mts`]);
  });
});

describe("a consumer's project with BullMQ", () => {
  const majors = ['bullmq', 'bullmq5'];
  let consumer: ReturnType<typeof makeConsumer>;
  beforeAll(() => {
    consumer = makeConsumer(['@types/node', ...majors]);
  });
  afterAll(() => rmSync(consumer.folder, { recursive: true }));

  it.each(majors)('can put us in front of a queue of %s, payloads and options typed by it', (name) => {
    const lines = [
      `import { MemoryBackupStore, ResilientQueue } from '${manifest.name}';`,
      `import { fromBullMq } from '${manifest.name}/bullmq';`,
      `import { BullMqTransport } from '${manifest.name}/transport/bullmq';`,
      `import { Queue } from '${name}';`,
      "const bullMq = new Queue<{ to: string }>('orders', { connection: { port: 1 } });",
      'const backup = new MemoryBackupStore();',
      'export const moved = fromBullMq(bullMq, { backup });',
      "export const added = moved.add('confirm', { to: 'me' }, { jobId: 'one', delay: 5 });",
      '// @ts-expect-error a payload of the wrong type',
      "void moved.add('confirm', { to: 1 });",
      "export const queue = new ResilientQueue('orders', { backup, transport: new BullMqTransport(bullMq) });",
      "void queue.enqueue('confirm', {}, { transport: { attempts: 3 } });",
      '// @ts-expect-error an option that the transport sets itself',
      "void queue.enqueue('confirm', {}, { transport: { deduplication: { id: 'one' } } });",
    ];
    writeFileSync(join(consumer.folder, `${name}.mts`), lines.join('\n'));
    // BullMQ's own declarations are not ours to judge.
    compile(consumer.folder, '--skipLibCheck --module node16 --moduleResolution node16', [`${name}.mts`]);
  });
});

/** Every `any` in a declaration file, comments and names left out. */
function placesOfAny(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(dist(), file), 'utf8'), ts.ScriptTarget.Latest);
  const places: string[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      const { line } = source.getLineAndCharacterOfPosition(node.end);
      places.push(`${file}:${line + 1}: ${source.text.split('\n')[line]?.trim()}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return places;
}
