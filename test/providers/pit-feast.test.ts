import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestOf } from '../../bench/training-set/request.js';
import { flights, type BenchSet } from '../../bench/training-set/sets.js';
import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import { query } from '../support/duckdb.js';
import { python } from '../support/python.js';

const LABELS = 10_000;
const DAY = 86_400;

/** Flights with features of origin, destination and route: the same tables, joined by Feast 0.67. Needs `npm run python`. */
describe.skipIf(python === undefined)('training sets beside get_historical_features of Feast', () => {
  const folder = mkdtempSync(join(tmpdir(), 'granary-feast-'));
  let set: BenchSet;
  let ours = '';

  beforeAll(async () => {
    set = await flights({ labels: LABELS, ttlSeconds: 2 * DAY })(folder, '');
    writeFileSync(join(folder, 'spec.json'), JSON.stringify(set.spec));
    ours = join(folder, 'ours.parquet');
    await using session = await duckdbOfflineProvider().open({
      scratch: join(folder, 'scratch'),
      memoryLimit: '1GB',
      threads: 2,
      signal: new AbortController().signal,
    });
    const { rows, matched } = await session.pointInTimeJoin(requestOf(set.spec, ours));
    expect(rows).toBe(LABELS);
    for (const found of matched) expect(found).toBeGreaterThan(LABELS / 2);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const feast = async (store: 'duckdb' | 'dask'): Promise<string> => {
    const out = join(folder, `${store}.parquet`);
    const script = join(import.meta.dirname, '../../bench/training-set/run_feast.py');
    const { stdout } = await promisify(execFile)(python ?? '', [
      script,
      join(folder, 'spec.json'),
      out,
      store,
      '16',
    ]);
    expect(stdout).not.toContain('failed');
    return out;
  };

  /** Rows as texts: pandas has made numbers with NULLs floats, and NULL NaN. */
  const rowsOf = (path: string): string => {
    const numbers = set.spec.views.flatMap(({ features }) => Object.values(features));
    return `SELECT origin, destination, epoch_us(event_timestamp), label, ${numbers.map((name) => `nullif("${name}"::DOUBLE, 'NaN')`).join(', ')} FROM '${path}'`;
  };
  const count = async (sql: string): Promise<number> =>
    Number((await query(`SELECT count(*) AS n FROM (${sql})`))[0]?.['n']);

  it('are equal, row for row, to those of its DuckDB store', { timeout: 240_000 }, async () => {
    const theirs = rowsOf(await feast('duckdb'));
    expect(await count(theirs)).toBe(LABELS);
    expect(await count(`${rowsOf(ours)} EXCEPT ALL ${theirs}`)).toBe(0);
    expect(await count(`${theirs} EXCEPT ALL ${rowsOf(ours)}`)).toBe(0);
  });

  it(
    'keep the label rows that its default Dask store drops, and equal the rest',
    { timeout: 240_000 },
    async () => {
      const theirs = rowsOf(await feast('dask'));
      expect(await count(theirs)).toBeLessThan(LABELS);
      expect(await count(`${theirs} EXCEPT ALL ${rowsOf(ours)}`)).toBe(0);
      expect(await count(rowsOf(ours))).toBe(LABELS);
    },
  );
});
