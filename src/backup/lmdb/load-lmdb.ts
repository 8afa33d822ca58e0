import { createRequire } from 'node:module';
import type { open } from 'lmdb';

/** The package `lmdb`, which the user installs. Throws an error that says so where it is missing or cannot be loaded. */
export function loadLmdb(): { readonly open: typeof open } {
  try {
    // Not by a plain import: that would fail before anybody could say what is missing. CommonJS has no import.meta.url; what
    // `node --eval` starts has a __filename that is none.
    return createRequire(import.meta.url ?? __filename)('lmdb');
  } catch (cause) {
    const isMissing = (cause as { readonly code?: unknown }).code === 'MODULE_NOT_FOUND';
    throw new Error(
      isMissing
        ? 'LmdbBackupStore needs the package "lmdb" 3: npm install lmdb'
        : 'LmdbBackupStore could not load the package "lmdb": install it on the platform it is to run on (npm install lmdb).',
      { cause },
    );
  }
}
