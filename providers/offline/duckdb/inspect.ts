import { stat } from 'node:fs/promises';
import { GranaryError } from '../../../definitions/errors.js';
import type { FileRelation, RelationFile } from '../provider.js';
import { fitsSource, suggestedType } from './column-types.js';
import type { Connection } from './connection.js';
import { firstLine } from './engine-errors.js';
import { quoteIdentifier, literal } from './sql-text.js';
import { quoted } from '../shape.js';

/** A file that is there and has the declared columns; `types` are the engine's, by column. */
export interface InspectedFile {
  readonly file: RelationFile;
  readonly types: Readonly<Record<string, string>>;
}

/** The engine's reader of one format. CSV is read as text: its types are checked value by value. */
export function fileReader(
  format: FileRelation['format'],
  paths: readonly string[],
  numbered = false,
): string {
  const list = `[${paths.map(literal).join(', ')}]`;
  // Folders named key=value are places, not columns.
  if (format === 'parquet')
    return `read_parquet(${list}, hive_partitioning = false${numbered ? ', file_row_number = true' : ''})`;
  return `read_csv(${list}, header = true, delim = ',', quote = '"', escape = '"', all_varchar = true, allow_quoted_nulls = false, hive_partitioning = false)`;
}

/**
 * Checks each file of a relation: there, whole, with the declared columns.
 * @throws GranaryError `SourceMissing`, `SourceEmpty`, `SourceInvalid`, `SchemaMismatch`, `MissingTimestamp`.
 */
export async function inspectFiles(c: Connection, relation: FileRelation): Promise<readonly InspectedFile[]> {
  checkTimestampFields(relation);
  const inspected: InspectedFile[] = [];
  for (const file of relation.files) inspected.push(await inspectFile(c, relation, file));
  return inspected;
}

function checkTimestampFields({
  name,
  schema,
  timestampField,
  createdTimestampField,
  from,
  before,
}: FileRelation): void {
  for (const [role, field] of [
    ['timestampField', timestampField],
    ['createdTimestampField', createdTimestampField],
  ] as const) {
    if (field === undefined) continue;
    const type = schema[field];
    if (type === 'timestamp') continue;
    const problem = type === undefined ? `has no column "${field}"` : `declares "${field}" as ${type}`;
    throw new GranaryError(
      'MissingTimestamp',
      `${name} ${problem}, which is its ${role}: declare it as t.timestamp in the schema, or name the right column (of ${quoted(Object.keys(schema))}).`,
    );
  }
  if (timestampField === undefined && (from ?? before) !== undefined)
    throw new GranaryError(
      'MissingTimestamp',
      `${name} is read for an interval but has no timestampField: name its event timestamp.`,
    );
}

/** The columns of a file, in order, with the engine's types. @throws as {@link inspectFiles}. */
export async function fileColumns(
  c: Connection,
  relation: FileRelation,
  file: RelationFile,
): Promise<ReadonlyMap<string, string>> {
  const place = `${relation.name} (${file.uri})`;
  const found = await stat(file.path).catch((error: unknown) => error as NodeJS.ErrnoException);
  if (found instanceof Error) {
    if (found.code === 'ENOENT' || found.code === 'ENOTDIR')
      throw new GranaryError(
        'SourceMissing',
        `${place}: there is no such file. Check the path, or produce the file first.`,
      );
    throw new GranaryError('SourceInvalid', `${place} cannot be read: ${found.message}`);
  }
  if (!found.isFile())
    throw new GranaryError('SourceInvalid', `${place} is not a file. Name the files to read, not a folder.`);
  if (found.size === 0)
    throw new GranaryError(
      'SourceEmpty',
      `${place} has no bytes: a write was cut short, or the file was only touched. Write it again.`,
    );
  return await describe(c, relation, file, place);
}

async function inspectFile(
  c: Connection,
  relation: FileRelation,
  file: RelationFile,
): Promise<InspectedFile> {
  const place = `${relation.name} (${file.uri})`;
  const columns = await fileColumns(c, relation, file);
  const types: Record<string, string> = {};
  for (const [column, declared] of Object.entries(relation.schema)) {
    const type = columns.get(column);
    if (type === undefined) throw missingColumn(relation, column, place, [...columns.keys()]);
    if (relation.format === 'parquet' && !fitsSource(declared, type))
      throw otherType(relation, column, place, type);
    types[column] = type;
  }
  return { file, types };
}

async function describe(
  c: Connection,
  relation: FileRelation,
  file: RelationFile,
  place: string,
): Promise<ReadonlyMap<string, string>> {
  try {
    const rows = await c.rows(`DESCRIBE SELECT * FROM ${fileReader(relation.format, [file.path])}`);
    return new Map(rows.map((row) => [String(row[0]), String(row[1])]));
  } catch (error) {
    c.signal.throwIfAborted();
    const cause = error instanceof GranaryError ? error.cause : error;
    const reason = firstLine(cause instanceof Error ? cause.message : String(cause)).replaceAll(
      file.path,
      file.uri,
    );
    const format = relation.format === 'parquet' ? 'Parquet' : 'CSV with a header';
    throw new GranaryError(
      'SourceInvalid',
      `${place} is truncated or not ${format} (${reason}). Write the file again, or correct its format.`,
      {
        cause,
      },
    );
  }
}

function missingColumn(
  relation: FileRelation,
  column: string,
  place: string,
  found: readonly string[],
): GranaryError {
  const similar = found.find((name) => name.toLowerCase() === column.toLowerCase());
  const remedy = similar === undefined ? 'Correct the schema or the file' : `Did you mean "${similar}"?`;
  if (column === relation.timestampField)
    return new GranaryError(
      'MissingTimestamp',
      `${place} has no column "${column}", its timestampField. It has ${quoted(found)}. ${remedy}`,
    );
  return new GranaryError(
    'SchemaMismatch',
    `${place} has no column "${column}", which is declared. It has ${quoted(found)}. ${remedy}`,
    {
      details: { column, found },
    },
  );
}

function otherType(relation: FileRelation, column: string, place: string, found: string): GranaryError {
  const declared = relation.schema[column];
  const suggestion = suggestedType(found);
  const remedy =
    suggestion === undefined
      ? 'No declared type can hold that: convert the column in the file, or leave it out of the schema'
      : `Declare it as ${declaration(suggestion)}`;
  const code = column === relation.timestampField ? 'MissingTimestamp' : 'SchemaMismatch';
  const role = column === relation.timestampField ? ', the timestampField,' : '';
  return new GranaryError(
    code,
    `${place}: column "${column}"${role} is declared ${declared} but the file has ${found}. ${remedy}.`,
    {
      details: { column, declared, found },
    },
  );
}

function declaration(type: string): string {
  return type.startsWith('list<') ? `t.list(t.${type.slice(5, -1)})` : `t.${type}`;
}

/** Reads every value of a CSV relation once, so that one of another type is found before any step uses it. */
export async function inspectCsvValues(c: Connection, relation: FileRelation, select: string): Promise<void> {
  const counts = Object.keys(relation.schema).map((column) => `count(${quoteIdentifier(column)})`);
  await c.rows(`SELECT ${counts.join(', ')} FROM (${select})`);
}
