import { DuckDBBlobValue, DuckDBListValue, type DuckDBValue } from '@duckdb/node-api';
import { GranaryError } from '../../../definitions/errors.js';
import type { ColumnBatch } from '../../columns.js';
import type { FileRelation } from '../provider.js';
import type { Engine } from './engine.js';
import { relationSql } from './relation-sql.js';
import { quoteIdentifier } from './sql-text.js';
import { quoted } from '../shape.js';

const ROW = '__row';

export interface ReadOptions {
  readonly columns?: readonly string[];
  readonly fromRow?: number;
  readonly limit?: number;
  readonly every?: number;
}

/**
 * Streams columns in file order, at most 2048 rows at a time; the engine reads on only when asked for more. On a
 * connection of its own, which ends with the loop.
 */
export async function* readColumns(
  engine: Engine,
  relation: FileRelation,
  options: ReadOptions,
): AsyncGenerator<ColumnBatch> {
  const { columns = Object.keys(relation.schema), fromRow, limit, every } = options;
  const unknown = columns.filter((column) => relation.schema[column] === undefined);
  if (unknown.length > 0)
    throw new GranaryError(
      'SchemaMismatch',
      `${relation.name} has no column ${quoted(unknown)}. It has ${quoted(Object.keys(relation.schema))}.`,
    );
  const c = await engine.connect(`Reading ${relation.name}`);
  try {
    const row = quoteIdentifier(ROW);
    const sampled = every === undefined ? '' : ` AND ${row} % ${Math.trunc(every)} = 0`;
    const where = fromRow === undefined ? '' : ` WHERE ${row} >= ${Math.trunc(fromRow)}${sampled}`;
    const most = limit === undefined ? '' : ` LIMIT ${Math.max(0, Math.trunc(limit))}`;
    const values = columns.map((column) => readable(column, relation.schema[column] ?? ''));
    const result = await c.stream(
      `SELECT ${values.join(', ')} FROM (${await relationSql(c, relation, fromRow === undefined ? {} : { row: ROW })})${where}${most}`,
    );
    for (;;) {
      const chunk = await c.guard(() => result.fetchChunk());
      if (chunk === null || chunk.rowCount === 0) return;
      yield { rows: chunk.rowCount, columns: chunk.getColumns().map(plainColumn) };
    }
  } finally {
    engine.release(c);
  }
}

/** Timestamps leave the engine as integers: an object a value would cost more than the reading. */
function readable(column: string, type: string): string {
  const name = quoteIdentifier(column);
  if (type === 'timestamp') return `epoch_us(${name})`;
  return type === 'list<timestamp>' ? `list_transform(${name}, lambda v: epoch_us(v))` : name;
}

function plainColumn(values: readonly DuckDBValue[]): readonly unknown[] {
  const first = values.find((value) => value !== null);
  return first instanceof DuckDBBlobValue || first instanceof DuckDBListValue ? values.map(plain) : values;
}

function plain(value: DuckDBValue): unknown {
  if (value instanceof DuckDBBlobValue) {
    const { buffer, byteOffset, length } = value.bytes;
    return new Uint8Array(buffer, byteOffset, length);
  }
  return value instanceof DuckDBListValue ? value.items.map(plain) : value;
}
