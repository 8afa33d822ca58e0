import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './support/child.js';

const examples = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

it('finds the examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(4);
});

it.each(examples)('%s has a test', (file) => {
  expect(existsSync(join(root, 'test/examples', file.replace(/\.ts$/, '.test.ts')))).toBe(true);
});

it.each(examples)('%s imports only what its reader has: packages, and files beside it', (file) => {
  const text = readFileSync(join(root, 'examples', file), 'utf8');
  const imported = [...text.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '');
  expect(imported.filter((name) => name.startsWith('..'))).toEqual([]);
  expect(imported).toContain('@morningai/resilient-queue');
});
