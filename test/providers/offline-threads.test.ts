import { expect, it } from 'vitest';
import type { Schema } from '../../definitions/types.js';
import { threadsDoNotMatter } from '../../providers/offline/duckdb/determinism.js';

const FLIGHTS = { date: 'timestamp', delay: 'int64', origin: 'string' } as const satisfies Schema;

it.each([
  ['SELECT origin, count(*) AS n, sum(delay) AS total, max(date) AS last FROM f GROUP BY origin', true],
  [
    "SELECT origin, count(*) FILTER (WHERE delay > 15) AS n FROM f WHERE origin <> 'a/b (x)' GROUP BY ALL -- avg(x)",
    true,
  ],
  ['SELECT "avg(delay)" FROM f', true],
  [
    "SELECT origin, date_trunc('day', date) + INTERVAL 1 DAY AS day, count(DISTINCT delay) AS n FROM f GROUP BY ALL",
    true,
  ],
  ['SELECT sum(delay * 0.5) AS n FROM f', true],
  ['SELECT avg(delay) AS n FROM f', false],
  ['SELECT sum(delay) / count(*) AS n FROM f', false],
  ['SELECT sum(delay * 1e-1) AS n FROM f', false],
  ['SELECT sum(delay::DOUBLE)::BIGINT AS n FROM f', false],
  ['SELECT sum(CAST(delay AS real)) AS n FROM f', false],
  ['SELECT stddev_pop(delay) AS n FROM f', false],
  ['SELECT first(delay) AS n FROM f', false],
  ["SELECT string_agg(origin, ',') AS n FROM f", false],
  ['SELECT origin, row_number() OVER (ORDER BY delay) AS n FROM f', false],
  ['SELECT * FROM f LIMIT 10', false],
  ['SELECT DISTINCT ON (origin) * FROM f', false],
  ['SELECT arg_max(delay, date) AS n FROM f', false],
  ['SELECT my_unknown(delay) AS n FROM f', false],
] as const)('%s: may run on several threads is %s', (sql, expected) => {
  const inputs = { f: { name: 'f', format: 'parquet', files: [], schema: FLIGHTS } } as const;
  const output = { name: 'o', schema: { n: 'int64' }, keys: [], parquet: '' } as const;
  expect(threadsDoNotMatter({ sql, inputs, output })).toBe(expected);
  // A float among the columns is enough.
  expect(threadsDoNotMatter({ sql, inputs, output: { ...output, schema: { n: 'list<float32>' } } })).toBe(
    false,
  );
});
