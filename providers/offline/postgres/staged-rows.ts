import { quoteName } from '../../../definitions/sql.js';
import type { ValueType } from '../../../definitions/types.js';
import { literal } from '../duckdb/sql-text.js';
import { checkRows, eventTimes } from '../rows-check.js';
import type { StagedTable, TableOutput } from '../table-provider.js';
import { convert, convertsLater, misfit, positiveZero, sqlType } from './column-types.js';
import type { Connection } from './connection.js';
import { microsSql } from './sql-text.js';
import { createStaged, HIDDEN } from './system-tables.js';

/** A column to keep: its name, the expression that has it and that one's type, and the declared type. */
export interface StagedColumn {
  readonly as: string;
  readonly value: string;
  readonly family: string;
  readonly type: ValueType;
}

/**
 * Stages the rows of a FROM clause as a table: checks that they fit what is declared, with their interval beside them. `hidden` adds a
 * column by an expression.
 * @throws GranaryError `NullKey`, `MissingTimestamp`, `ValueOutOfRange`.
 */
export async function stageRows(
  c: Connection,
  schema: string,
  output: TableOutput,
  from: string,
  columns: readonly StagedColumn[],
  hidden?: { readonly name: string; readonly value: string },
): Promise<StagedTable> {
  const { interval } = output;
  // A value that may not fit is kept as it is until it was looked at: a conversion would round it, or fail without naming it.
  const later = columns.filter(({ type, family }) => convertsLater(type, family));
  const kept = columns.map((column) =>
    later.includes(column)
      ? `${column.value} AS ${quoteName(column.as)}`
      : `${positiveZero(convert(column.value, column.type, column.family), column.type)} AS ${quoteName(column.as)}`,
  );
  const own = [
    `timestamptz ${literal(interval.start)} AS ${HIDDEN.start}`,
    `timestamptz ${literal(interval.end)} AS ${HIDDEN.end}`,
    ...(hidden === undefined ? [] : [`${hidden.value} AS ${hidden.name}`]),
  ];
  const { table, sql } = await createStaged(
    c,
    schema,
    output.stage,
    `SELECT ${[...kept, ...own].join(', ')} FROM ${from}`,
  );
  await checkRows(c, {
    name: output.name,
    table: sql,
    misfit,
    columns: columns.map((column) => ({
      column: column.as,
      as: column.as,
      type: column.type,
      found: column.family,
    })),
    keys: output.keys,
    ...(output.timestampField === undefined ? {} : { timestampField: output.timestampField }),
  });
  if (later.length > 0)
    await c.run(
      `ALTER TABLE ${sql} ${later
        .map(({ as, type, family }) => {
          const name = quoteName(as);
          return `ALTER COLUMN ${name} TYPE ${sqlType(type)} USING ${positiveZero(convert(name, type, family), type)}`;
        })
        .join(', ')}`,
    );
  const time = output.timestampField === undefined ? undefined : quoteName(output.timestampField);
  const [count, min, max] = await c.row(
    `SELECT count(*)${time === undefined ? '' : `, ${microsSql(`min(${time})`)}, ${microsSql(`max(${time})`)}`} FROM ${sql}`,
  );
  const times =
    typeof min === 'string' && typeof max === 'string' ? eventTimes(BigInt(min), BigInt(max)) : undefined;
  return { table, rows: Number(count), ...(times === undefined ? {} : { eventTimes: times }) };
}
