import { readFileSync, writeFileSync } from 'node:fs';

/** Replaces what stands between `<!-- bench NAME -->` and `<!-- /bench NAME -->` in a document. Throws where they are missing. */
export function writeBetweenMarkers(file: string, name: string, text: string): void {
  const document = readFileSync(file, 'utf8');
  const [opening, closing] = [`<!-- bench ${name} -->`, `<!-- /bench ${name} -->`];
  const from = document.indexOf(opening);
  const to = document.indexOf(closing);
  if (from === -1 || to < from)
    throw new Error(`${file} has no place for "${name}": ${opening} … ${closing}`);
  writeFileSync(file, `${document.slice(0, from)}${opening}\n\n${text.trim()}\n\n${document.slice(to)}`);
}
