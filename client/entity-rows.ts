import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataType, RecordBatch, Table } from 'apache-arrow';
import { GranaryError } from '../definitions/errors.js';
import type { Schema } from '../definitions/types.js';
import { arrowType, isArrow } from '../providers/offline/duckdb/arrow-columns.js';
import type { DescribedColumn, FileRelation, OfflineSession } from '../providers/offline/provider.js';
import {
  checkNames,
  ENTITY_ROWS,
  isTimeText,
  missingTime,
  objectColumns,
  schemaOf,
  wantedTypes,
  type EntityColumns,
  type FoundColumn,
} from './entity-columns.js';
import type { Scratch } from './scratch.js';

/**
 * The rows that features are wanted for: the path of a Parquet or CSV file, an Arrow table or batch, or objects. Columns: the join keys by their
 * names, the timestamp, and any others, which are carried through.
 */
export type EntityRows = string | Table | RecordBatch | readonly Readonly<Record<string, unknown>>[];

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

interface Found {
  readonly relation: FileRelation;
  readonly schema: Schema;
}

async function fromFile(path: string, needs: EntityColumns, { session }: Scratch): Promise<Found> {
  const format = /\.csv$/i.test(path) ? 'csv' : /\.(parquet|pq)$/i.test(path) ? 'parquet' : undefined;
  if (format === undefined)
    throw new GranaryError(
      'InvalidInput',
      `${ENTITY_ROWS} "${path}" are neither Parquet nor CSV by their name. Give a path that ends in .parquet or .csv, an Arrow table, or an array of objects.`,
    );
  const files = [{ path, uri: pathToFileURL(path).href, generation: 0 }];
  const relation: FileRelation = { name: ENTITY_ROWS, format, files, schema: {} };
  // The types that texts must have, where the file has the column.
  const names = new Set((await session.describe(relation)).map(({ name }) => name));
  checkNames([...names], needs);
  const declared = Object.fromEntries(
    [...wantedTypes(needs)].filter(([name]) => format === 'csv' && names.has(name)),
  );
  const described = await session.describe({ ...relation, schema: declared });
  const isUntimed = missingTime([...names], needs) !== undefined;
  const found = format === 'csv' && isUntimed ? await withTimeTexts(described, relation, session) : described;
  return { relation, schema: schemaOf(found, needs) };
}

/** A CSV file's dates are texts to the engine: a column is one of times when its first value is. */
async function withTimeTexts(
  described: readonly DescribedColumn[],
  relation: FileRelation,
  session: OfflineSession,
): Promise<readonly FoundColumn[]> {
  const texts = described.filter(({ type }) => type === 'string').map(({ name }) => name);
  if (texts.length === 0) return described;
  const schema = Object.fromEntries(texts.map((name) => [name, 'string' as const]));
  for await (const { columns } of session.read({ ...relation, schema })) {
    const first = new Map(texts.map((name, i) => [name, columns[i]?.find((value) => value !== null)]));
    return described.map((column) => ({ ...column, isTime: isTimeText(first.get(column.name)) }));
  }
  return described;
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
  const writer = await session.writer({ name: ENTITY_ROWS, schema, keys: [], parquet });
  await writer.append(rows);
  await writer.flush(parquet);
  const files = [{ path: parquet, uri: 'memory:', generation: 0 }];
  return { relation: { name: ENTITY_ROWS, format: 'parquet', files, schema }, schema };
}
