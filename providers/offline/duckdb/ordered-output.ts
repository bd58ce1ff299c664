import { listItem, type ScalarType, type Schema } from '../../../definitions/types.js';
import type { Output, WrittenTable } from '../provider.js';
import { positiveZero } from './column-types.js';
import type { Connection } from './connection.js';
import { fileReader } from './inspect.js';
import { eventTimes } from '../rows-check.js';
import { quoteIdentifier, literal } from './sql-text.js';

/** Rows to write: a FROM clause and, by output column, the expression that has its declared type. */
export interface OrderedRows {
  readonly from: string;
  readonly values: Readonly<Record<string, string>>;
  /** Expressions that come first in the order. */
  readonly orderBy: readonly string[];
  /** The output columns that come after them; default: all, in schema order. */
  readonly thenBy?: readonly string[];
}

/**
 * Writes rows as one Parquet file (zstd) and, where asked, as CSV. The rows are ordered by `orderBy`, then by every
 * column in schema order, NULL first, NaN last; so the same rows give the same bytes on any number of threads.
 */
export async function writeOrdered(c: Connection, output: Output, rows: OrderedRows): Promise<WrittenTable> {
  const columns = Object.keys(output.schema);
  const hidden = rows.orderBy.map((expression, i) => `${expression} AS ${quoteIdentifier(`__order${i}`)}`);
  const values = Object.entries(output.schema).map(
    ([name, type]) =>
      `${positiveZero(rows.values[name] ?? quoteIdentifier(name), type)} AS ${quoteIdentifier(name)}`,
  );
  const order = [
    ...hidden.map((_, i) => `${quoteIdentifier(`__order${i}`)} NULLS FIRST`),
    // What comes first already decides nothing further on, and costs much.
    ...(rows.thenBy ?? columns)
      .filter((name) => !rows.orderBy.includes(rows.values[name] ?? quoteIdentifier(name)))
      .map((name) => `${quoteIdentifier(name)} NULLS FIRST`),
  ];
  const select = `SELECT ${columns.map(quoteIdentifier).join(', ')} FROM (SELECT ${[...hidden, ...values].join(', ')} FROM ${rows.from}) ORDER BY ${order.join(', ')}`;
  const written = await c.run(
    `COPY (${select}) TO ${literal(output.parquet)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  if (output.csv !== undefined) await writeCsv(c, output.schema, output.parquet, output.csv);
  return { rows: written, ...(await timeRange(c, output)) };
}

async function timeRange(c: Connection, output: Output): Promise<Pick<WrittenTable, 'eventTimes'>> {
  if (output.timestampField === undefined) return {};
  const field = quoteIdentifier(output.timestampField);
  const [min, max] = await c.row(
    `SELECT epoch_us(min(${field})), epoch_us(max(${field})) FROM ${fileReader('parquet', [output.parquet])}`,
  );
  const range = eventTimes(min, max);
  return range === undefined ? {} : { eventTimes: range };
}

async function writeCsv(c: Connection, schema: Schema, parquet: string, csv: string): Promise<void> {
  await c.run(csvCopy(schema, fileReader('parquet', [parquet]), csv));
}

/** A statement that writes columns of a FROM clause as CSV: a header, NULL as nothing, timestamps as ISO-8601 in UTC. */
export function csvCopy(schema: Schema, from: string, csv: string): string {
  const values = Object.entries(schema).map(([name, type]) => {
    const item = listItem(type);
    if ((item ?? (type as ScalarType)) !== 'timestamp') return quoteIdentifier(name);
    const text =
      item === undefined
        ? isoText(quoteIdentifier(name))
        : `list_transform(${quoteIdentifier(name)}, lambda v: ${isoText('v')})`;
    return `${text} AS ${quoteIdentifier(name)}`;
  });
  return `COPY (SELECT ${values.join(', ')} FROM ${from}) TO ${literal(csv)} (FORMAT csv, HEADER, NULLSTR '')`;
}

/** ISO-8601 in UTC with no more fraction digits than needed, as definitions/timestamp.ts writes it. */
function isoText(value: string): string {
  const whole = `strftime(${value}, '%Y-%m-%dT%H:%M:%SZ')`;
  const exact = `rtrim(strftime(${value}, '%Y-%m-%dT%H:%M:%S.%f'), '0') || 'Z'`;
  return `CASE WHEN epoch_us(${value}) % 1000000 = 0 THEN ${whole} ELSE ${exact} END`;
}
