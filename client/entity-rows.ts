import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataType, RecordBatch, Table } from 'apache-arrow';
import type { KeyType } from '../definitions/entity.js';
import { GranaryError } from '../definitions/errors.js';
import { isNumberName } from '../definitions/names.js';
import { Timestamp } from '../definitions/timestamp.js';
import { narrows, type ScalarType, type Schema, type ValueType } from '../definitions/types.js';
import { arrowType, isArrow } from '../providers/offline/duckdb/arrow-columns.js';
import type { FileRelation, DescribedColumn } from '../providers/offline/provider.js';
import type { Scratch } from './scratch.js';

/**
 * The rows that features are wanted for: the path of a Parquet or CSV file, an Arrow table or batch, or objects. Columns: the join keys by their
 * names, the timestamp, and any others, which are carried through.
 */
export type EntityRows = string | Table | RecordBatch | readonly Readonly<Record<string, unknown>>[];

/** What the columns of entity rows must be. */
export interface EntityColumns {
  /** The type of each join key's column, and whose it is, for messages. */
  readonly keys: ReadonlyMap<string, { readonly type: KeyType; readonly of: string }>;
  /** The column of the time; null: rows take the newest values, whatever times they have. */
  readonly timestampField: string | null;
  /** Whether that column was named, and must be there; otherwise rows that have no times at all take the newest values. */
  readonly isNamed: boolean;
}

/** Entity rows as one Parquet file with the number of each row. */
export interface StagedEntityRows {
  readonly relation: FileRelation;
  /** The caller's columns, in order. */
  readonly schema: Schema;
  /** The column that holds a row's place; not one of `schema`. */
  readonly rowNumber: string;
  readonly timestampField: string | undefined;
  /** Smallest and largest time, ISO-8601. */
  readonly times: { readonly min: string; readonly max: string } | undefined;
}

const NAME = 'The entity rows';

/** Checks entity rows and stages them for a join, in their order. @throws GranaryError `InvalidInput`, naming row, column and remedy. */
export async function stageEntityRows(
  rows: EntityRows,
  needs: EntityColumns,
  scratch: Scratch,
): Promise<StagedEntityRows> {
  try {
    const { relation, schema } =
      typeof rows === 'string'
        ? await fromFile(rows, needs, scratch)
        : await fromMemory(rows, needs, scratch);
    const timestampField =
      needs.timestampField !== null && Object.hasOwn(schema, needs.timestampField)
        ? needs.timestampField
        : undefined;
    let rowNumber = '__row';
    while (Object.keys(schema).some((name) => name.toLowerCase() === rowNumber)) rowNumber += '_';
    const path = join(scratch.folder, 'entity-rows.parquet');
    const timed = { ...relation, schema, ...(timestampField === undefined ? {} : { timestampField }) };
    const { eventTimes } = await scratch.session.copy(timed, { path, format: 'parquet', rowNumber });
    return {
      relation: {
        name: relation.name,
        format: 'parquet',
        files: [{ path, uri: relation.files[0]?.uri ?? 'memory:', generation: 0 }],
        schema: { ...schema, [rowNumber]: 'int64' },
      },
      schema,
      rowNumber,
      timestampField,
      times: eventTimes,
    };
  } catch (error) {
    throw asInput(error);
  }
}

/** What is wrong with an argument is an `InvalidInput`, whichever check found it. */
function asInput(error: unknown): unknown {
  if (!(error instanceof GranaryError)) return error;
  if (!['ValueOutOfRange', 'SchemaMismatch', 'MissingTimestamp'].includes(error.code)) return error;
  const { type } = error.details;
  const remedy =
    type === 'timestamp' ? ' Write ISO-8601, such as 2026-01-31T10:00:00Z; without a zone it is UTC.' : '';
  return new GranaryError('InvalidInput', `${error.message}${remedy}`, {
    details: { ...error.details },
    cause: error,
  });
}

/** A column as it was found. */
interface FoundColumn extends DescribedColumn {
  /** Whether it holds times in a type that does not say so. */
  readonly isTime?: boolean;
}

interface Found {
  readonly relation: FileRelation;
  readonly schema: Schema;
}

async function fromFile(path: string, needs: EntityColumns, { session }: Scratch): Promise<Found> {
  const format = /\.csv$/i.test(path) ? 'csv' : /\.(parquet|pq)$/i.test(path) ? 'parquet' : undefined;
  if (format === undefined)
    throw new GranaryError(
      'InvalidInput',
      `${NAME} "${path}" are neither Parquet nor CSV by their name. Give a path that ends in .parquet or .csv, an Arrow table, or an array of objects.`,
    );
  const files = [{ path, uri: pathToFileURL(path).href, generation: 0 }];
  const relation: FileRelation = { name: NAME, format, files, schema: {} };
  // The types that texts must have, where the file has the column.
  const names = new Set((await session.describe(relation)).map(({ name }) => name));
  checkNames([...names], needs);
  const declared = Object.fromEntries(
    [...wantedTypes(needs)].filter(([name]) => format === 'csv' && names.has(name)),
  );
  const found = await session.describe({ ...relation, schema: declared });
  return { relation, schema: schemaOf(found, needs) };
}

async function fromMemory(
  rows: Exclude<EntityRows, string>,
  needs: EntityColumns,
  { session, folder }: Scratch,
): Promise<Found> {
  const found = isArrow(rows)
    ? rows.schema.fields.map(({ name, type }) => ({
        name,
        found: String(type),
        type: arrowType(type as DataType),
      }))
    : objectColumns(rows, needs);
  checkNames(
    found.map(({ name }) => name),
    needs,
  );
  const schema = schemaOf(found, needs);
  const parquet = join(folder, 'entity-rows-given.parquet');
  const writer = await session.writer({ name: NAME, schema, keys: [], parquet });
  await writer.append(rows);
  await writer.flush(parquet);
  const files = [{ path: parquet, uri: 'memory:', generation: 0 }];
  return { relation: { name: NAME, format: 'parquet', files, schema }, schema };
}

/** Of objects: keys and the timestamp as they must be, other columns by their first value. None: no rows of the columns that must be there. */
function objectColumns(
  rows: readonly Readonly<Record<string, unknown>>[],
  needs: EntityColumns,
): FoundColumn[] {
  const wanted = wantedTypes(needs);
  if (rows.length === 0) return [...wanted].map(([name, type]) => ({ name, found: type, type }));
  const first = new Map<string, unknown>();
  for (const [i, row] of rows.entries()) {
    if (typeof row !== 'object' || row === null)
      throw new GranaryError(
        'InvalidInput',
        `${NAME}: row ${i + 1} is no object. Write { user_id: 1n, event_timestamp: '2026-01-31T10:00:00Z' }.`,
      );
    for (const [name, value] of Object.entries(row))
      if ((first.get(name) ?? null) === null || isEmptyList(first.get(name)))
        first.set(name, value ?? first.get(name) ?? null);
  }
  return [...first].map(([name, value]) => {
    const type = wanted.get(name) ?? valueType(value);
    return { name, found: type ?? typeof value, type, isTime: type === 'timestamp' || isTimeText(value) };
  });
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** What is read back is what was given: a number is a float64, whatever its value. Nothing but NULL is a text. */
function valueType(value: unknown): ValueType | undefined {
  if (Array.isArray(value)) {
    const item = valueType((value as readonly unknown[])[0] ?? '');
    return item === undefined || item.startsWith('list') ? undefined : `list<${item as ScalarType}>`;
  }
  if (value instanceof Date || value instanceof Timestamp) return 'timestamp';
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int64';
  if (typeof value === 'number') return 'float64';
  return typeof value === 'string' || value === null || value === undefined ? 'string' : undefined;
}

/** Whether a value is a text such as 2026-01-31 or 2026-01-31T10:00:00Z. */
function isTimeText(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    Timestamp.from(value);
    return true;
  } catch {
    return false;
  }
}

function wantedTypes({ keys, timestampField }: EntityColumns): ReadonlyMap<string, ValueType> {
  return new Map<string, ValueType>([
    ...[...keys].map(([name, { type }]): [string, ValueType] => [name, type]),
    ...(timestampField === null ? [] : [[timestampField, 'timestamp'] as [string, ValueType]]),
  ]);
}

function checkNames(names: readonly string[], { keys, timestampField, isNamed }: EntityColumns): void {
  const has = names.length === 0 ? 'They have no columns.' : `They have ${names.join(', ')}.`;
  const similar = (wanted: string): string => {
    const found = names.find((name) => name.toLowerCase() === wanted.toLowerCase());
    return found === undefined ? 'Add the column, or rename one' : `Rename "${found}"`;
  };
  for (const [name, { of }] of keys)
    if (!names.includes(name))
      throw new GranaryError(
        'InvalidInput',
        `${NAME} have no column "${name}", a join key of ${of}. ${has} ${similar(name)}.`,
      );
  if (isNamed && timestampField !== null && !names.includes(timestampField))
    throw new GranaryError(
      'InvalidInput',
      `${NAME} have no column "${timestampField}", the time that values are wanted for. ${has} ${similar(timestampField)}, or name another: timestampField: '...'.`,
    );
  const seen = new Set<string>();
  for (const name of names) {
    if (isNumberName(name))
      throw new GranaryError(
        'InvalidInput',
        `${NAME} have a column "${name}". JavaScript moves names that are whole numbers before all others, so the columns would lose their order. Rename it, such as to "c${name}".`,
      );
    if (seen.has(name.toLowerCase()))
      throw new GranaryError(
        'InvalidInput',
        `${NAME} have two columns "${name}" (case does not count). Rename one of them.`,
      );
    seen.add(name.toLowerCase());
  }
}

/**
 * Rows with times, none of which is the one that values are wanted for, would take the newest values: what was learned after their times. Nobody
 * wants that without saying so.
 */
function checkTimes(found: readonly FoundColumn[], { keys, timestampField }: EntityColumns): void {
  if (timestampField === null || found.some(({ name }) => name === timestampField)) return;
  const times = found
    .filter(({ name, type, isTime = type === 'timestamp' }) => isTime && !keys.has(name))
    .map(({ name }) => `"${name}"`);
  if (times.length > 0)
    throw new GranaryError(
      'InvalidInput',
      `${NAME} have times (${times.join(', ')}), but no column "${timestampField}". Name the column of the time that values are wanted for, timestampField: ${times[0] ?? ''}, or ask for the newest values: timestampField: null.`,
    );
}

function schemaOf(found: readonly FoundColumn[], needs: EntityColumns): Schema {
  checkTimes(found, needs);
  const { keys, timestampField } = needs;
  const typed = found.map(({ name, type, found: was }): [string, ValueType] => {
    const key = keys.get(name);
    if (key !== undefined && (type === undefined || !narrows(type, key.type)))
      throw new GranaryError(
        'InvalidInput',
        `${NAME}: column "${name}" is ${was}, but as a join key of ${key.of} it is ${key.type}. Convert the column.`,
      );
    if (name === timestampField && type !== 'timestamp')
      throw new GranaryError(
        'InvalidInput',
        `${NAME}: column "${name}", the time that values are wanted for, is ${was}. Convert it to a timestamp, or name another column: timestampField: '...'.`,
      );
    if (type === undefined)
      throw new GranaryError(
        'InvalidInput',
        `${NAME}: column "${name}" is ${was}, which Granary has no type for. Convert it, or leave it out.`,
      );
    return [name, type];
  });
  return Object.fromEntries(typed);
}
