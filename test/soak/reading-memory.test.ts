import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readWithin, writeRows, type Reading } from '../support/read-memory.js';

const ROWS = 100_000_000;
const folder = mkdtempSync(join(tmpdir(), 'granary-memory-'));
const path = join(folder, 'rows.parquet');
beforeAll(() => writeRows(path, ROWS), 1_200_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// The bound is that of the slice in test/e2e: memory does not grow with the rows.
it.each<Reading>(['batches', 'recordBatches', 'toParquet', 'toArrow'])(
  'a hundred million stored rows are read in constant memory by %s',
  async (reading) => {
    await readWithin(path, ROWS, reading, 350);
    expect.hasAssertions();
  },
  3_600_000,
);
