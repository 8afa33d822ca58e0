// Prints which functions a .cpuprofile spent its time in, without what they called.
//   npx tsx bench/profile/top-functions.ts FILE.cpuprofile
import { readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

/** The `count` functions with the most time of their own, a line each. */
export function topFunctions(file: string, count: number): string {
  const { nodes, samples, timeDeltas }: Profile = JSON.parse(readFileSync(file, 'utf8'));
  const nameOf = new Map(nodes.map(({ id, callFrame }) => [id, nameFunction(callFrame)]));
  const selfMicroseconds = new Map<string, number>();
  let total = 0;
  samples.forEach((id, i) => {
    const name = nameOf.get(id) ?? '(unknown)';
    const took = timeDeltas[i] ?? 0;
    total += took;
    selfMicroseconds.set(name, (selfMicroseconds.get(name) ?? 0) + took);
  });
  return [...selfMicroseconds]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([name, took]) => `${((took * 100) / total).toFixed(1).padStart(5)} %  ${name}`)
    .join('\n');
}

function nameFunction({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name}  ${shorten(url)}:${lineNumber + 1}`;
}

function shorten(url: string): string {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  const inPackage = path.lastIndexOf(`node_modules${sep}`);
  return inPackage === -1 ? path.replace(process.cwd() + sep, '') : path.slice(inPackage);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${topFunctions(process.argv[2] ?? '', 30)}\n`);
}
