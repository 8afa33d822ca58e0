import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeConsumer, manifest, run } from './support.js';

const name = `${manifest.name}/backup/lmdb`;
const job = `{ version: 1, queue: 'q', id: 'a', delivery: 'a', name: 'job', payload: 'null', fate: 'not-delivered', enqueuedAt: 0, transport: 'streams' }`;
const formats = [
  { how: 'import', flag: 'module', load: `import { LmdbBackupStore } from '${name}';` },
  { how: 'require', flag: 'commonjs', load: `const { LmdbBackupStore } = require('${name}');` },
];

describe('the LMDB backup store in a project without lmdb', () => {
  let consumer: ReturnType<typeof makeConsumer>;
  beforeAll(() => {
    consumer = makeConsumer();
  });
  afterAll(() => rmSync(consumer.folder, { recursive: true }));

  it.each(formats)('says what to install when it is used, by $how', ({ flag, load }) => {
    const program = `${load}
      try { new LmdbBackupStore({ path: './backup' }); } catch (error) { console.log(error.message); }`;
    const output = run(process.execPath, [`--input-type=${flag}`, '--eval', program], consumer.folder);
    expect(output).toBe('LmdbBackupStore needs the package "lmdb" 3: npm install lmdb\n');
  });
});

describe('the LMDB backup store in a project with lmdb', () => {
  let consumer: ReturnType<typeof makeConsumer>;
  beforeAll(() => {
    consumer = makeConsumer(['lmdb']);
  });
  afterAll(() => rmSync(consumer.folder, { recursive: true }));

  it.each(formats)('works by $how', ({ flag, load }) => {
    const path = mkdtempSync(join(consumer.folder, 'backup-'));
    const program = `${load}
      const store = new LmdbBackupStore({ path: ${JSON.stringify(path)} });
      store.append('q', [${job}]).then(async (outcomes) => {
        console.log(outcomes, (await store.lease('q', 1, 1000)).jobs.length);
        await store.close();
      });`;
    const output = run(process.execPath, [`--input-type=${flag}`, '--eval', program], consumer.folder);
    expect(output).toBe("[ 'added' ] 1\n");
  });

  it('works by import() in a script of `node --eval`, which has a __filename that is no file', () => {
    const path = mkdtempSync(join(consumer.folder, 'backup-'));
    const program = `import('${name}').then(({ LmdbBackupStore }) =>
      new LmdbBackupStore({ path: ${JSON.stringify(path)} }).close().then(() => console.log('closed')));`;
    expect(run(process.execPath, ['--eval', program], consumer.folder)).toBe('closed\n');
  });

  it('refuses a folder that another copy of the library has open: by require and by import', () => {
    const path = mkdtempSync(join(consumer.folder, 'backup-'));
    const program = `import { createRequire } from 'node:module';
      import { LmdbBackupStore as Imported } from '${name}';
      const { LmdbBackupStore: Required } = createRequire(import.meta.url)('${name}');
      const store = new Imported({ path: ${JSON.stringify(path)} });
      try { new Required({ path: ${JSON.stringify(path)} }); } catch (error) { console.log(error.message); }
      await store.close();
      await new Required({ path: ${JSON.stringify(path)} }).close();
      console.log('closed');`;
    const output = run(process.execPath, ['--input-type=module', '--eval', program], consumer.folder);
    expect(output).toMatch(/already open in this process, through another copy .*\nclosed\n$/);
  });
});
