import type { CopyRequest, FileRelation, WrittenTable } from '../provider.js';
import { eventTimes } from '../rows-check.js';
import type { Connection } from './connection.js';
import { fileReader } from './inspect.js';
import { csvCopy } from './ordered-output.js';
import { relationSql } from './relation-sql.js';
import { literal, quoteIdentifier } from './sql-text.js';

/** See `OfflineSession.copy`. The engine keeps the order of rows (`preserve_insertion_order`). */
export async function copyRows(
  c: Connection,
  relation: FileRelation,
  { path, format, rowNumber, where }: CopyRequest,
): Promise<WrittenTable> {
  const condition = where === undefined ? '' : ` WHERE (${where})`;
  const rows = `(SELECT * FROM (${await relationSql(c, relation)})${condition})`;
  if (format === 'csv') return { rows: await c.run(csvCopy(relation.schema, rows, path)) };
  const number = rowNumber === undefined ? '' : `, row_number() OVER () - 1 AS ${quoteIdentifier(rowNumber)}`;
  const written = await c.run(
    `COPY (SELECT *${number} FROM ${rows}) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  if (relation.timestampField === undefined) return { rows: written };
  const field = quoteIdentifier(relation.timestampField);
  const [min, max] = await c.row(
    `SELECT epoch_us(min(${field})), epoch_us(max(${field})) FROM ${fileReader('parquet', [path])}`,
  );
  const range = eventTimes(min, max);
  return { rows: written, ...(range === undefined ? {} : { eventTimes: range }) };
}
