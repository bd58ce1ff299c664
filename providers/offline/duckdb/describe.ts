import { GranaryError } from '../../../definitions/errors.js';
import type { ValueType } from '../../../definitions/types.js';
import type { DescribedColumn, FileRelation, FoundColumns } from '../provider.js';
import { suggestedType } from './column-types.js';
import type { Connection } from './connection.js';
import { fileColumns, fileReader } from './inspect.js';
import { strictCast } from './relation-sql.js';
import { quoteIdentifier } from './sql-text.js';

const INTEGER = String.raw`[+-]?(0|[1-9]\d*)`;
const NUMBER = String.raw`[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|NaN|[+-]?Infinity`;
const INSTANT = String.raw`\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*`;

/** See `OfflineSession.describe`. */
export async function describeFile(
  c: Connection,
  relation: FileRelation,
): Promise<readonly DescribedColumn[]> {
  const [file] = relation.files;
  if (file === undefined)
    throw new GranaryError('SourceMissing', `${relation.name} has no files. Check its path.`);
  const columns = [...(await fileColumns(c, relation, file))];
  if (relation.format === 'parquet')
    return columns.map(([name, found]) => ({ name, found, type: suggestedType(found) }));
  const tests = columns.flatMap(([name]) => csvTests(name, relation.schema[name]));
  const rows = `SELECT *, row_number() OVER () AS "__row number" FROM ${fileReader('csv', [file.path])}`;
  const values = [...(await c.row(`SELECT ${tests.join(', ')} FROM (${rows})`))];
  return columns.map(([name]) => {
    const [first, second, ...others] = values.splice(0, csvTests(name, relation.schema[name]).length);
    const declared = relation.schema[name];
    if (declared === undefined) {
      const type = inferred([first, second, ...others]);
      return { name, type, found: type };
    }
    if (typeof first === 'bigint')
      throw new GranaryError(
        'ValueOutOfRange',
        `${relation.name} (${file.uri}): row ${first}, column "${name}": ${declared} expected, got "${String(second)}". Correct the file.`,
        { details: { row: Number(first), column: name, type: declared } },
      );
    return { name, type: declared, found: declared };
  });
}

/** Aggregates over a column of texts: of a declared one the first row that does not fit, with its text; else what the texts are. */
function csvTests(name: string, declared: ValueType | undefined): string[] {
  const text = quoteIdentifier(name);
  if (declared !== undefined) {
    const misfit = `${text} IS NOT NULL AND ${declared === 'string' ? text : strictCast(text, declared)} IS NULL`;
    return [
      `min("__row number") FILTER (WHERE ${misfit})`,
      `arg_min(${text}, "__row number") FILTER (WHERE ${misfit})`,
    ];
  }
  const all = (pattern: string): string => `bool_and(regexp_full_match(${text}, '${pattern}'))`;
  return [
    `bool_and(lower(${text}) IN ('true', 'false'))`,
    all(INTEGER),
    `bool_and(TRY_CAST(${text} AS BIGINT) IS NOT NULL)`,
    all(NUMBER),
    all(INSTANT),
    `bool_and(TRY_CAST(${text} AS TIMESTAMPTZ) IS NOT NULL)`,
  ];
}

/** No digit is lost: whole numbers that 64 bits cannot hold, and those with a leading zero, stay texts. */
function inferred([bool, whole, bigint, number, iso, instant]: readonly unknown[]): ValueType {
  if (bool === true) return 'bool';
  if (whole === true) return bigint === true ? 'int64' : 'string';
  if (number === true) return 'float64';
  return iso === true && instant === true ? 'timestamp' : 'string';
}

/** The columns of a relation's files as they are now; where files differ, a column's types stand side by side. */
export async function columnsOf(c: Connection, relation: FileRelation): Promise<FoundColumns> {
  const found = new Map<string, Set<string>>();
  for (const file of relation.files)
    for (const [name, type] of await fileColumns(c, relation, file))
      found.set(name, (found.get(name) ?? new Set()).add(type));
  return Object.fromEntries([...found].map(([name, types]) => [name, [...types].sort().join(' or ')]));
}
