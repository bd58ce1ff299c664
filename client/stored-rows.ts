import type { RecordBatch, Table } from 'apache-arrow';
import type { Row, Schema } from '../definitions/types.js';
import type { ColumnBatch } from '../providers/columns.js';
import { reader, rowsOf } from '../providers/rows.js';
import { arrowTable, recordBatches } from './arrow.js';
import { exportRows } from './export-rows.js';
import { partBatches, type RowParts } from './row-parts.js';

/** Rows in columns, by name; at most 2048 at a time. */
export interface NamedBatch {
  readonly rows: number;
  readonly columns: Readonly<Record<string, readonly unknown[]>>;
}

/** What may be done with stored rows. They are read anew each time, in their order, with back-pressure: all but `table` in constant memory. */
export interface StoredRows<R> {
  /** The columns and their types, in order. */
  columns(): Promise<Schema>;
  /** The whole rows as objects, every column by its name. */
  rows(options?: { readonly limit?: number }): AsyncGenerator<R>;
  /** Rows in columns, as users see values: timestamps are Timestamp. */
  batches(): AsyncGenerator<NamedBatch>;
  /** Rows as Arrow record batches of 32768 rows or a few more: 64-bit integers, microseconds in UTC. */
  recordBatches(): AsyncGenerator<RecordBatch>;
  /** All rows as one Arrow table, in memory. */
  table(): Promise<Table>;
  /**
   * Writes a Parquet file; one that is there is replaced, once the new one is whole.
   * @throws GranaryError `InvalidInput` when it cannot be written; `ChecksumMismatch` when stored bytes are not those that were recorded.
   */
  toParquet(path: string): Promise<void>;
  /** Writes a CSV file as {@link StoredRows.toParquet} does: a header, NULL as nothing, timestamps as ISO-8601 in UTC. */
  toCsv(path: string): Promise<void>;
  /** Writes an Arrow IPC stream as {@link StoredRows.toParquet} does: `pyarrow.ipc.open_stream`, `polars.read_ipc_stream`. */
  toArrow(path: string): Promise<void>;
}

/** Reads rows that are found when they are asked for. */
export function storedRows<R>(load: () => Promise<RowParts>): StoredRows<R> {
  return {
    columns: async () => (await load()).schema,
    async *rows(options) {
      const found = await load();
      yield* rowsOf(partBatches(found, options), found.schema) as AsyncGenerator<Row> as AsyncGenerator<R>;
    },
    async *batches() {
      const found = await load();
      for await (const batch of partBatches(found)) yield namedBatch(batch, found.schema);
    },
    async *recordBatches() {
      const found = await load();
      yield* recordBatches(partBatches(found), found.schema);
    },
    table: async () => {
      const found = await load();
      return await arrowTable(partBatches(found), found.schema);
    },
    toParquet: async (path) => exportRows(await load(), path, 'parquet'),
    toCsv: async (path) => exportRows(await load(), path, 'csv'),
    toArrow: async (path) => exportRows(await load(), path, 'arrow'),
  };
}

function namedBatch({ rows, columns }: ColumnBatch, schema: Schema): NamedBatch {
  return {
    rows,
    columns: Object.fromEntries(
      Object.entries(schema).map(([name, type], c) => {
        const values = columns[c] ?? [];
        return [name, type.includes('timestamp') ? values.map(reader(type)) : values];
      }),
    ),
  };
}
