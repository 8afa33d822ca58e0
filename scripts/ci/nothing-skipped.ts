import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

// vitest passes although tests are skipped, or a pattern matches nothing. Here that is a failure.
//   nothing-skipped <report> [folder or file, every test of which must have run …]
const [report, ...expected] = process.argv.slice(2) as [string, ...string[]];

const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
const files = testResults.map((file) => ({ ...file, name: relative(process.cwd(), file.name) }));
const tests = files.flatMap(({ name, assertionResults }) =>
  assertionResults.map((test) => ({ ...test, file: name })),
);
const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
const ran = new Set(files.map(({ name }) => name));
const unseen = expected
  .flatMap((path) => (statSync(path).isDirectory() ? filesBelow(path) : [path]))
  .filter((file) => file.endsWith('.test.ts') && !ran.has(file));

for (const { status, file, fullName } of skipped) console.log(`${status}: ${file}: ${fullName}`);
for (const file of unseen) console.log(`never ran: ${file}`);
const count = (status: string) => tests.filter((test) => test.status === status).length;
console.log(`${count('passed')} passed, ${count('failed')} failed, ${skipped.length} skipped`);
process.exitCode = tests.length === 0 || skipped.length > 0 || unseen.length > 0 ? 1 : 0;

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
}
