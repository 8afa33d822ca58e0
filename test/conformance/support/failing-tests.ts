import type { TestRunner } from '../../../src/conformance/index.js';

/** Runs what a kit puts there, one test after the other. Resolves with the names of those that failed. */
export async function failingTests(kit: (runner: TestRunner) => void): Promise<string[]> {
  const tests: { readonly name: string; readonly body: () => Promise<void> }[] = [];
  const path: string[] = [];
  kit({
    describe(name, body) {
      path.push(name);
      body();
      path.pop();
    },
    it: (name, body) => tests.push({ name: [...path, name].join(' '), body }),
  });
  const failed: string[] = [];
  for (const { name, body } of tests) {
    await body().catch(() => failed.push(name));
  }
  return failed;
}
