import type { ValueType } from '../../../definitions/types.js';
import { Timestamp } from '../../../definitions/timestamp.js';
import type { FileRelation } from '../provider.js';
import { convert, engineType } from './column-types.js';
import type { Connection } from './connection.js';
import { CSV_VALUE } from './engine-errors.js';
import { fileReader, inspectFiles, type InspectedFile } from './inspect.js';
import { filtered } from './row-filter.js';
import { quoteIdentifier, literal } from './sql-text.js';

export interface RelationOptions {
  /** A column to add that carries the generation of each row's file (INTEGER). */
  readonly generation?: string;
  /** A column to add that carries the number of each row in its Parquet file: 0, 1, ... (BIGINT). */
  readonly row?: string;
}

/**
 * A SELECT of a relation's declared columns in their declared types, in file order, restricted to `from <=
 * timestampField < before` and to `where`. Checks the files first (see {@link inspectFiles}). Without files: no rows.
 */
export async function relationSql(
  c: Connection,
  relation: FileRelation,
  options: RelationOptions = {},
): Promise<string> {
  const files = await inspectFiles(c, relation);
  const select =
    files.length === 0
      ? emptySelect(relation, options)
      : runs(relation, files, options)
          .map((run) => selectRun(relation, run, options))
          .join(' UNION ALL ');
  return relation.where === undefined ? select : await filtered(c, relation, select);
}

function emptySelect(relation: FileRelation, { generation, row }: RelationOptions): string {
  const columns = Object.entries(relation.schema).map(
    ([name, type]) => `CAST(NULL AS ${engineType(type)}) AS ${quoteIdentifier(name)}`,
  );
  if (generation !== undefined) columns.push(`0 AS ${quoteIdentifier(generation)}`);
  if (row !== undefined) columns.push(`0 AS ${quoteIdentifier(row)}`);
  return `SELECT ${columns.join(', ')} WHERE false`;
}

/** Neighbouring files with the same types are read by one scan; a CSV by one each, for its address in messages. */
function runs(
  relation: FileRelation,
  files: readonly InspectedFile[],
  { generation }: RelationOptions,
): InspectedFile[][] {
  const grouped: InspectedFile[][] = [];
  let last = '';
  for (const inspected of files) {
    const key = JSON.stringify([inspected.types, generation === undefined ? 0 : inspected.file.generation]);
    const group = grouped.at(-1);
    if (group && key === last && relation.format === 'parquet') group.push(inspected);
    else grouped.push([inspected]);
    last = key;
  }
  return grouped;
}

function selectRun(
  relation: FileRelation,
  run: readonly InspectedFile[],
  { generation, row }: RelationOptions,
): string {
  const [first] = run;
  if (first === undefined) return emptySelect(relation, {});
  const columns = Object.entries(relation.schema).map(
    ([name, type]) => `${columnValue(relation, first, name, type)} AS ${quoteIdentifier(name)}`,
  );
  if (generation !== undefined)
    columns.push(`${Math.trunc(first.file.generation)} AS ${quoteIdentifier(generation)}`);
  if (row !== undefined) columns.push(`f.file_row_number AS ${quoteIdentifier(row)}`);
  const paths = run.map(({ file }) => file.path);
  const reader = fileReader(relation.format, paths, row !== undefined);
  return `SELECT ${columns.join(', ')} FROM ${reader} AS f${intervalFilter(relation, first)}`;
}

function columnValue(
  relation: FileRelation,
  { file, types }: InspectedFile,
  name: string,
  type: ValueType,
): string {
  const raw = `f.${quoteIdentifier(name)}`;
  if (relation.format === 'parquet') return convert(raw, type, types[name] ?? engineType(type));
  if (type === 'string') return raw;
  const message = `${CSV_VALUE}${relation.name} (${file.uri}): column "${name}" is declared ${type} but has the value "`;
  const refused = `error(concat(${literal(message)}, ${raw}, '". Correct the file or the declaration.'))`;
  return `CASE WHEN ${raw} IS NULL THEN NULL ELSE coalesce(${strictCast(raw, type)}, ${refused}) END`;
}

/** TRY_CAST rounds `1.5` to an integer; a file that says so is wrong. */
export function strictCast(raw: string, type: ValueType): string {
  const cast = `TRY_CAST(${raw} AS ${engineType(type)})`;
  if (type !== 'int32' && type !== 'int64') return cast;
  return `CASE WHEN regexp_full_match(${raw}, '\\s*[+-]?\\d+\\s*') THEN ${cast} END`;
}

/** On the raw column, in its own type, so that Parquet row groups outside the interval are skipped. */
function intervalFilter(relation: FileRelation, inspected: InspectedFile): string {
  const { timestampField: field, from, before } = relation;
  if (field === undefined) return '';
  const type = inspected.types[field] ?? 'TIMESTAMP WITH TIME ZONE';
  const raw =
    relation.format === 'csv'
      ? `(${columnValue(relation, inspected, field, 'timestamp')})`
      : `f.${quoteIdentifier(field)}`;
  const bound = relation.format === 'csv' ? 'TIMESTAMP WITH TIME ZONE' : type;
  const conditions: string[] = [];
  if (from !== undefined) conditions.push(`${raw} >= ${lowerBound(Timestamp.from(from).micros, bound)}`);
  if (before !== undefined) conditions.push(`${raw} < ${lowerBound(Timestamp.from(before).micros, bound)}`);
  return conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
}

const DAY_MICROS = 86_400_000_000n;
/** What TIMESTAMP_NS can hold, in microseconds: years 1678 to 2261. */
const NS_LIMIT = 9_214_560_000_000_000n;

/** The smallest value of an engine type that is not before an instant; comparing with it is exact for `>=` and `<`. */
function lowerBound(micros: bigint, type: string): string {
  switch (type) {
    case 'DATE': {
      // BigInt division cuts towards zero: up for a negative number.
      const days = micros / DAY_MICROS + (micros > 0n && micros % DAY_MICROS !== 0n ? 1n : 0n);
      return `CAST(make_timestamp(${days * DAY_MICROS}::BIGINT) AS DATE)`;
    }
    case 'TIMESTAMP_NS': {
      const held = micros > NS_LIMIT ? NS_LIMIT : micros < -NS_LIMIT ? -NS_LIMIT : micros;
      return `make_timestamp_ns(${held * 1000n}::BIGINT)`;
    }
    case 'TIMESTAMP WITH TIME ZONE':
      return `make_timestamptz(${micros}::BIGINT)`;
    default:
      return `make_timestamp(${micros}::BIGINT)`;
  }
}
