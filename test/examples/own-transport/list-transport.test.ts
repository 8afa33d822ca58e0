import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../support/child.js';

// That it is right is shown beside, and in test/conformance.
it('stands, with its test, in the page about writing a transport as it is', async () => {
  const page = await readFile(join(root, 'docs/writing-a-transport.md'), 'utf8');
  const blocks = [...page.matchAll(/<!-- (\S+) -->\n\n```ts\n(.*?)```\n/gs)];
  expect(blocks.map(([, file]) => file)).toEqual([
    'examples/own-transport/list-transport.ts',
    'examples/own-transport/list-transport.conformance.ts',
  ]);
  for (const [, file = '', code] of blocks) expect(code).toBe(await readFile(join(root, file), 'utf8'));
});
