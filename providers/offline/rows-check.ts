import { GranaryError } from '../../definitions/errors.js';
import { Timestamp } from '../../definitions/timestamp.js';
import type { ValueType } from '../../definitions/types.js';
import { quoteName as quoteIdentifier } from '../../definitions/sql.js';

/** What the checks ask of an engine. */
export interface CheckingEngine {
  /** The only row of a query. */
  row(sql: string): Promise<readonly unknown[]>;
}

/** A condition that is true for values of the engine's type `found` that `type` cannot hold; undefined when all fit. */
export type Misfit = (value: string, type: ValueType, found: string) => string | undefined;

/** What is expected of rows in a table before they are written. */
export interface RowsCheck {
  /** What messages call the rows: `feature set x`. */
  readonly name: string;
  /** The table, as SQL. */
  readonly table: string;
  readonly misfit: Misfit;
  /** Columns whose values must fit `type`; `found` is the engine's type in the table. */
  readonly columns: readonly {
    readonly column: string;
    readonly as: string;
    readonly type: ValueType;
    readonly found: string;
  }[];
  /** Columns that may not be NULL. */
  readonly keys: readonly string[];
  /** A timestamp column that may not be NULL. */
  readonly timestampField?: string;
}

/** A condition that no row may meet, and the error when `count` rows do. */
interface Finding {
  readonly condition: string;
  readonly error: (count: number) => Promise<GranaryError> | GranaryError;
}

/**
 * Checks rows in one scan.
 * @throws GranaryError `NullKey`, `MissingTimestamp` (with counts), `ValueOutOfRange` (with an example value).
 */
export async function checkRows(c: CheckingEngine, check: RowsCheck): Promise<void> {
  const findings = [...nullFindings(check), ...rangeFindings(c, check)];
  if (findings.length === 0) return;
  const counts = findings.map(({ condition }) => `count(*) FILTER (WHERE ${condition})`);
  const row = await c.row(`SELECT ${counts.join(', ')} FROM ${check.table}`);
  for (const [i, { error }] of findings.entries()) {
    const count = Number(row[i]);
    if (count > 0) throw await error(count);
  }
}

function nullFindings({ name, keys, timestampField }: RowsCheck): Finding[] {
  const findings: Finding[] = keys.map((key) => ({
    condition: `${quoteIdentifier(key)} IS NULL`,
    error: (count) =>
      new GranaryError(
        'NullKey',
        `${name}: the key "${key}" is NULL in ${rows(count)}. Filter these rows out, or fill the key.`,
        { details: { column: key, rows: count } },
      ),
  }));
  if (timestampField !== undefined)
    findings.push({
      condition: `${quoteIdentifier(timestampField)} IS NULL`,
      error: (count) =>
        new GranaryError(
          'MissingTimestamp',
          `${name}: "${timestampField}" is NULL in ${rows(count)}. Every row needs the instant it is known at; filter the others out.`,
          { details: { column: timestampField, rows: count } },
        ),
    });
  return findings;
}

function rangeFindings(c: CheckingEngine, { name, table, columns, misfit }: RowsCheck): Finding[] {
  return columns.flatMap(({ column, as, type, found }) => {
    const value = quoteIdentifier(column);
    const condition = misfit(value, type, found);
    if (condition === undefined) return [];
    const error = async (count: number): Promise<GranaryError> => {
      const [example] = await c.row(
        `SELECT CAST(${value} AS VARCHAR) FROM ${table} WHERE ${condition} ORDER BY ${value} LIMIT 1`,
      );
      return new GranaryError(
        'ValueOutOfRange',
        `${name}: column "${as}" is ${type}, which cannot hold ${String(example)} (${rows(count)}).${hint(type, found)}`,
        { details: { column: as, type, example: String(example), rows: count } },
      );
    };
    return [{ condition, error }];
  });
}

function hint(type: ValueType, found: string): string {
  if (type === 'int32') return ' Declare it as t.int64, or filter such values out.';
  if (type.includes('float32')) return ' Declare it as t.float64, or filter such values out.';
  return /^(decimal|numeric)/i.test(found) ? ' Round or CAST it in the SQL.' : ' Filter such values out.';
}

function rows(count: number): string {
  return `${count} ${count === 1 ? 'row' : 'rows'}`;
}

/** The event-time range of a table's column of microseconds, as text. */
export function eventTimes(
  min: unknown,
  max: unknown,
): { readonly min: string; readonly max: string } | undefined {
  if (typeof min !== 'bigint' || typeof max !== 'bigint') return undefined;
  return { min: new Timestamp(min).toString(), max: new Timestamp(max).toString() };
}
