import { defineConfig } from 'vitest/config';

const room = (path: string): string => new URL(path, import.meta.url).pathname;

/** Tests beside the Feast SDK and other Python readers, which need `npm run python`. */
const sdk = [
  'test/e2e/feast-{acceptance,registry}.test.ts',
  'test/e2e/python.test.ts',
  'test/feast/{differential,registry}.test.ts',
  'test/providers/{online-feast-writers,online-postgres-feast,pit-feast}.test.ts',
  'test/server/feast.test.ts',
];

/** Servers that fail in the middle, memory that does not suffice. */
const faults = ['test/faults/**/*.test.ts', 'test/providers/{files-s3-writes,pit-spill}.test.ts'];

/** What people type, in processes of their own (`granary ...`, npm scripts, the packed package), and works by hand. */
const commands = [
  'test/e2e/{apply,backfill,catalog,refusals,rollback,runs,schedule}-command.test.ts',
  'test/e2e/{colors,dev-failure,dev-reload,doctor,interrupt,plugin}.test.ts',
  'test/e2e/{promote,refresh,remove,rollback}.test.ts',
  'test/{package,package-install}.test.ts',
  'test/server/command.test.ts',
  'test/services/**/*.test.{ts,mjs}',
];

// `npm test` runs `main`, `npm run test:commands`, `test:faults`, `test:sdk` and `test:soak` the others; all with the real services up (scripts/test.mjs).
export default defineConfig({
  resolve: {
    // Examples say `granary`; in the tests that is these very sources, not a second copy in lib/.
    alias: [
      { find: /^granary$/, replacement: room('definitions/index.ts') },
      { find: /^granary\/(worker|workflows|client|server|testing)$/, replacement: room('$1/index.ts') },
    ],
  },
  test: {
    pool: 'forks',
    globalSetup: room('test/support/workflow-bundle.ts'),
    maxWorkers: 3,
    maxConcurrency: 3, // of tests that say so: they wait more than they work
    // Bounds for machines half as fast, busy with three files at a time.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 30_000 } },
    reporters: ['default', 'json'],
    outputFile: { json: '.granary/test-report.json' },
    projects: [
      {
        extends: true,
        test: {
          name: 'main',
          include: ['test/**/*.test.{ts,mjs}'],
          exclude: ['test/soak/**', ...faults, ...sdk, ...commands],
          typecheck: {
            enabled: true,
            include: ['test/types/**/*.test-d.ts'],
            tsconfig: './tsconfig.test.json',
            ignoreSourceErrors: true, // of other files: `npm run types` reports those
          },
        },
      },
      {
        extends: true,
        test: { name: 'faults', include: faults },
      },
      {
        extends: true,
        test: { name: 'sdk', include: sdk },
      },
      {
        extends: true,
        test: { name: 'commands', include: commands },
      },
      {
        extends: true,
        test: { name: 'soak', include: ['test/soak/**/*.test.ts'] },
      },
    ],
  },
});
