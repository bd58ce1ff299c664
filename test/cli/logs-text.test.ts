import { expect, it } from 'vitest';
import { logsText } from '../../cli/runs-text.js';

const COLUMNS = Array.from(
  { length: 40 },
  (_, i) => `TRY_CAST(f."column_${i}" AS DOUBLE) AS "column_${i}"`,
).join(', ');
const READ = `CREATE TEMP VIEW "flights.v1" AS SELECT ${COLUMNS} FROM read_csv(['/data/flights/2026-01-02.csv'], header = true) AS f WHERE f."time" < make_timestamptz(1)`;
const OWN = `SELECT carrier,\n  count(*) AS n\nFROM flights`;

const logs = (error?: string): Parameters<typeof logsText>[0] => [
  {
    step: 'source/totals.v1',
    activity: 'buildRows',
    activityId: '1',
    attempt: 1,
    worker: 'w',
    outcome: error === undefined ? 'completed' : 'failed',
    code: undefined,
    error: undefined,
    statements: [READ, OWN].map((sql) => ({
      at: 'then',
      subject: 'The query',
      sql,
      ms: 5,
      ...(error === undefined ? {} : { error }),
    })),
    omitted: 0,
    startedAt: 'then',
    updatedAt: 'then',
  },
];

it('shows what a long statement makes and of what, and the lines that people write', () => {
  const text = logsText(logs());
  const long = text.split('\n').find((line) => line.includes('CREATE TEMP VIEW')) ?? '';
  expect(READ.length).toBeGreaterThan(1500);
  expect(long.length).toBeLessThan(420);
  expect(long).toMatch(
    /^ {4}CREATE TEMP VIEW "flights\.v1" AS SELECT .* \.\.\. [\d,]+ characters \.\.\. .*2026-01-02\.csv.* WHERE f\."time" < make_timestamptz\(1\)$/,
  );
  expect(text).toContain('\n    SELECT carrier,\n      count(*) AS n\n    FROM flights\n');
  expect(text).toMatch(/--json has them whole\.\n$/);
});

it('shows a statement that failed whole', () => {
  const text = logsText(logs('Parser Error: no'));
  expect(text).toContain(READ);
  expect(text).not.toContain('--json');
});
