import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { query } from './duckdb.js';

/** How rows may be read. */
export type Reading = 'batches' | 'recordBatches' | 'toParquet' | 'toCsv' | 'toArrow';

/** Reads a Parquet file of (split, id, d, at) as stored rows, the export of half of them as one file; prints what it found and its peak. */
const PROGRAM = `
const [lib, path, reading, target] = process.argv.slice(1);
const { storedRows } = await import(lib + '/client/stored-rows.js');
const { readFiles } = await import(lib + '/client/dataset-rows.js');
const schema = { split: 'string', id: 'int64', d: 'float64', at: 'timestamp' };
const files = () => Promise.resolve({ name: 'rows', format: 'parquet', files: [{ path, uri: path, generation: 0 }], schema });
const part = { uri: path, schema, files, batches: (read) => readFiles(files, read), whole: () => Promise.resolve(undefined) };
const isExport = reading.startsWith('to');
const rows = storedRows(() => Promise.resolve({ schema, parts: [part], ...(isExport ? { split: 'train' } : {}) }));
let count = 0, sum = 0n;
const began = performance.now();
if (reading === 'batches')
  for await (const batch of rows.batches()) {
    count += batch.rows;
    for (const id of batch.columns.id) sum += id;
  }
else if (reading === 'recordBatches')
  for await (const batch of rows.recordBatches()) {
    count += batch.numRows;
    for (const id of batch.getChild('id').toArray()) sum += id;
  }
else await rows[reading](target);
console.log(JSON.stringify({ count, sum: String(sum), peakMiB: process.resourceUsage().maxRSS / 1024, ms: performance.now() - began }));
`;

/** Writes the rows that {@link readWithin} reads: half of them train. */
export const writeRows = async (path: string, rows: number): Promise<unknown> =>
  await query(
    `COPY (SELECT CASE WHEN i % 2 = 0 THEN 'train' ELSE 'test' END AS split, i AS id, (i * 7919 % 1000003) / 7 AS d, make_timestamptz(i) AS at FROM range(${rows}) t(i)) TO '${path}' (FORMAT parquet)`,
  );

/** Reads all rows in a process of its own with a small heap, and checks them and that its memory stayed within `peakMiB`. Needs lib/. */
export async function readWithin(
  path: string,
  rows: number,
  reading: Reading,
  peakMiB: number,
): Promise<void> {
  const target = `${path}.${reading.slice(2).toLowerCase()}`;
  const lib = pathToFileURL(join(process.cwd(), 'lib')).href;
  const args = ['--max-old-space-size=96', '--input-type=module', '-e', PROGRAM, lib, path, reading, target];
  const said = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error) reject(new Error(`reading failed: ${stderr.slice(-2000)}`));
      else resolve(stdout);
    });
  });
  const found = JSON.parse(said) as { count: number; sum: string; peakMiB: number; ms: number };
  console.log(
    `${reading}: ${rows} rows in ${(found.ms / 1000).toFixed(1)} s, peak ${found.peakMiB.toFixed(0)} MiB`,
  );
  const all = BigInt(rows);
  if (reading === 'batches' || reading === 'recordBatches')
    expect([found.count, found.sum]).toEqual([rows, String((all * (all - 1n)) / 2n)]);
  else expect((await stat(target)).size).toBeGreaterThan(rows);
  if (reading === 'toParquet')
    expect(await query(`SELECT count(*)::INTEGER AS n, sum(id)::VARCHAR AS sum FROM '${target}'`)).toEqual([
      { n: rows / 2, sum: String((all / 2n) * (all / 2n - 1n)) },
    ]);
  expect(found.peakMiB).toBeLessThan(peakMiB);
}
