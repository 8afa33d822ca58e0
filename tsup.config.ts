import { defineConfig } from 'tsup';

// One entry a public subpath: test/package holds this list, `exports` and the folders together.
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'backup/lmdb': 'src/backup/lmdb.ts',
    bullmq: 'src/bullmq/index.ts',
    conformance: 'src/conformance/index.ts',
    ledger: 'src/ledger/index.ts',
    health: 'src/health/index.ts',
    'transport/rq': 'src/transport/rq.ts',
    'transport/bullmq': 'src/transport/bullmq.ts',
  },
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: true,
  sourcemap: true,
  clean: true,
  splitting: true,
  treeshake: true,
  esbuildOptions(options) {
    // Where there is no import.meta there is __filename: src/backup/lmdb/load-lmdb.ts.
    options.logOverride = { 'empty-import-meta': 'silent' };
  },
});
