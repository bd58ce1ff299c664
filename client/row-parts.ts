import { GranaryError } from '../definitions/errors.js';
import { SPLIT_COLUMN, SPLIT_PARTS, type SplitPart } from '../definitions/split.js';
import type { Schema } from '../definitions/types.js';
import type { ColumnBatch } from '../providers/columns.js';
import type { DatasetRows, RowsRead } from './dataset-rows.js';
import { openScratch } from './scratch.js';

/** Rows that lie in one or more places, one after the other, all with the same columns. */
export interface RowParts {
  readonly schema: Schema;
  readonly parts: readonly DatasetRows[];
  /** Only rows of this part of a training set; undefined: all. */
  readonly split?: SplitPart | undefined;
}

/** @throws GranaryError `InvalidInput` when rows are not divided, or not into that part. */
export function checkSplit(what: string, schema: Schema, split: SplitPart | undefined): void {
  if (split === undefined) return;
  if (!SPLIT_PARTS.includes(split))
    throw new GranaryError(
      'InvalidInput',
      `There is no split "${split}". Choose one of ${SPLIT_PARTS.join(', ')}.`,
    );
  if (schema[SPLIT_COLUMN] !== 'string' || Object.keys(schema)[0] !== SPLIT_COLUMN)
    throw new GranaryError(
      'InvalidInput',
      `The ${what} is not split, so it has no part "${split}". Declare it with split: splitByTime(...) or splitByEntity(...), or read it whole.`,
    );
}

/** Streams the rows of all parts in columns, in order, with back-pressure. */
export async function* partBatches(
  { parts, split }: RowParts,
  { limit }: RowsRead = {},
): AsyncGenerator<ColumnBatch> {
  let left = limit ?? Infinity;
  // One engine for all: a set of daily versions has hundreds.
  await using scratch = parts.length > 1 ? await openScratch() : undefined;
  for (const part of parts) {
    if (left <= 0) return;
    const most = limit === undefined || split !== undefined ? {} : { limit: left };
    for await (const read of part.batches(most, scratch)) {
      const batch = firstOf(split === undefined ? read : rowsWith(read, split), left);
      left -= batch.rows;
      if (batch.rows > 0) yield batch;
      if (left <= 0) break;
    }
  }
}

/** The split is the first column of all. */
function rowsWith(batch: ColumnBatch, split: SplitPart): ColumnBatch {
  const kept: number[] = [];
  for (const [i, value] of (batch.columns[0] ?? []).entries()) if (value === split) kept.push(i);
  if (kept.length === batch.rows) return batch;
  return { rows: kept.length, columns: batch.columns.map((values) => kept.map((i) => values[i])) };
}

const firstOf = (batch: ColumnBatch, rows: number): ColumnBatch =>
  batch.rows <= rows ? batch : { rows, columns: batch.columns.map((values) => values.slice(0, rows)) };
