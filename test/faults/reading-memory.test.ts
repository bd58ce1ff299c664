import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readWithin, writeRows, type Reading } from '../support/read-memory.js';

// A slice; test/soak reads a hundred million.
const ROWS = 3_000_000;
const folder = mkdtempSync(join(tmpdir(), 'granary-memory-'));
const path = join(folder, 'rows.parquet');
beforeAll(() => writeRows(path, ROWS), 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each<Reading>(['batches', 'recordBatches', 'toParquet', 'toCsv', 'toArrow'])(
  'stored rows are read in constant memory by %s',
  async (reading) => {
    await readWithin(path, ROWS, reading, 350);
    expect.hasAssertions();
  },
  240_000,
);
