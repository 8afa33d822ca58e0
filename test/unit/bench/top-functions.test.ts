import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { topFunctions } from '../../../bench/profile/top-functions.js';

const node = (id: number, functionName: string, url: string, lineNumber: number) => ({
  id,
  callFrame: { functionName, url, lineNumber },
});

it('adds up the time of a function over all its places in a profile, and names where it stands', () => {
  const folder = mkdtempSync(join(tmpdir(), 'resilient-queue-profile-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'some.cpuprofile');
  const profile = {
    nodes: [
      node(1, '(idle)', '', -1),
      node(2, 'send', 'file:///somewhere/node_modules/ioredis/built/Redis.js', 9),
      node(3, '', `file://${process.cwd()}/dist/index.js`, 99),
      node(4, 'send', 'file:///somewhere/node_modules/ioredis/built/Redis.js', 9),
    ],
    samples: [1, 2, 3, 4, 2],
    timeDeltas: [500, 100, 250, 50, 100],
  };
  writeFileSync(file, JSON.stringify(profile));
  expect(topFunctions(file, 3).split('\n')).toEqual([
    ' 50.0 %  (idle)',
    ' 25.0 %  send  node_modules/ioredis/built/Redis.js:10',
    ' 25.0 %  (anonymous)  dist/index.js:100',
  ]);
});
