import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** The package's entry points as its users import them, from the compiled code. */
const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  granary: [
    'ERROR_CODES',
    'GranaryError',
    'Timestamp',
    'compile',
    'defineProject',
    'entity',
    'feature',
    'featureSet',
    'featureView',
    'fileStore',
    'freshness',
    'fromEnv',
    'fromFile',
    'interval',
    'intervalEnd',
    'intervalStart',
    'label',
    'localFiles',
    'maxNullRate',
    'noSchemaDrift',
    'notNull',
    'onlineStore',
    'pipeline',
    'plan',
    'postgresDatabase',
    'postgresProvider',
    'postgresStore',
    'range',
    'redisStore',
    'rowCount',
    'rowCountChange',
    's3',
    'splitByEntity',
    'splitByTime',
    'sql',
    't',
    'trainingSet',
    'unique',
    'warn',
  ],
  'granary/worker': ['GranaryPlugin', 'runWorker', 'workflowsPath'],
  'granary/workflows': [
    'apply',
    'backfill',
    'deadline',
    'materialize',
    'pipeline',
    'promote',
    'remove',
    'rollback',
    'trainingSet',
  ],
  'granary/client': ['GranaryClient'],
  'granary/server': ['listen'],
  'granary/testing': ['runOnFixtures'],
};

const keys = (script: string, type: string): string[] => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [`--input-type=${type}`, '--no-warnings', '-e', script],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as string[];
};

describe.each(Object.entries(ENTRIES))('%s', (entry, names) => {
  it('exports what is documented, and no more', () => {
    expect(
      keys(`console.log(JSON.stringify(Object.keys(await import('${entry}')).sort()))`, 'module'),
    ).toEqual([...names].sort());
  });
  it('can be required', () => {
    const found = keys(
      `console.log(JSON.stringify(Object.keys(require('${entry}')).filter((k) => k !== '__esModule').sort()))`,
      'commonjs',
    );
    expect(found).toEqual([...names].sort());
  });
});
