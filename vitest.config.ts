import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const alias = { '@morningai/resilient-queue': fileURLToPath(new URL('./src/index.ts', import.meta.url)) };

const project = (name: string, include: string[], testTimeout: number) => ({
  resolve: { alias },
  test: { name, include, testTimeout, hookTimeout: 30_000, pool: 'forks' as const },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', ['test/unit/**/*.test.ts', 'test/types/**/*.test.ts'], 10_000),
      project('package', ['test/package/**/*.test.ts'], 60_000),
      project('integration', ['test/integration/**/*.test.ts'], 60_000),
      project('outages', ['test/outages/**/*.test.ts'], 120_000),
      project('examples', ['test/examples/**/*.test.ts'], 60_000),
    ],
  },
});
