import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './support/child.js';

const examples = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

// Copied as the folder that they are, and tested together.
const apps = ['health/next'];
const appOf = (file: string) => apps.find((app) => file.startsWith(`${app}/`));

it('finds the examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(4);
});

it.each(examples)('%s has a test', (file) => {
  const tested = appOf(file) ?? file.replace(/\.ts$/, '');
  expect(existsSync(join(root, 'test/examples', `${tested}.test.ts`))).toBe(true);
});

it.each(examples)('%s imports only what its reader has: packages, and files beside it', (file) => {
  expect(importedBy(file).filter((name) => name.startsWith('..'))).toEqual([]);
});

// Workers know nothing of it, which is the point of them.
it.each(examples.filter((file) => !file.endsWith('/worker.ts') && !appOf(file)))(
  '%s uses the library',
  (file) => {
    expect(importedBy(file)).toContain('@morningai/resilient-queue');
  },
);

function importedBy(file: string): string[] {
  const text = readFileSync(join(root, 'examples', file), 'utf8');
  return [...text.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '');
}
