import { GranaryError } from './errors.js';
import { checkName, isNumberName } from './names.js';
import type { PostgresProvider } from './postgres.js';
import type { FileStore } from './provider.js';
import type { BuiltSource } from './built-source.js';
import { isValueType, type ColumnOf, type Schema } from './types.js';

/** What any definition may carry for people; free to change, no part of its meaning. */
export interface About {
  readonly description?: string;
  readonly owner?: string;
  readonly tags?: readonly string[];
  /** Texts by name, such as a team or a ticket. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** What an immutable definition may carry. */
export interface Versioned extends About {
  /** The name of this version; default: the project's variant, else derived from the fingerprint. */
  readonly variant?: string;
}

/** The parts of a definition that are for people. */
export function peopleOf({ description, owner, tags, properties }: About): About {
  return {
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { owner }),
    ...(tags === undefined ? {} : { tags }),
    ...(properties === undefined ? {} : { properties }),
  };
}

/** The parts of a definition that are for people, and its variant. */
export const aboutOf = (options: Versioned): Versioned => ({
  ...(options.variant === undefined ? {} : { variant: options.variant }),
  ...peopleOf(options),
});

/** Rows that features, labels and SQL read. All sources, also feature sets and transformations, share one name space. */
export type Source<S extends Schema = Schema> = FileSource<S> | TableSource<S> | BuiltSource<S>;

/** Any source, whatever its columns. */
export type AnySource = {
  readonly kind: 'source';
  readonly name: string;
  readonly schema: Schema;
  readonly timestampField: string | undefined;
  readonly createdTimestampField?: string | undefined;
};

export interface FileSourceOptions<S extends Schema> extends Versioned {
  /** Path in the store; `*` and `**` match several files. */
  readonly path: string;
  /** The columns that are used, and their types. The files may have more. */
  readonly schema: S;
  /** When a row happened. Without it the source is constant in time. */
  readonly timestampField?: ColumnOf<S, 'timestamp'>;
  /** When a row became known; breaks ties among equal event timestamps, and so needs a `timestampField`. */
  readonly createdTimestampField?: ColumnOf<S, 'timestamp'>;
}

export interface FileSource<S extends Schema = Schema> extends Versioned {
  readonly kind: 'source';
  readonly type: 'file';
  readonly name: string;
  readonly store: FileStore;
  readonly format: 'parquet' | 'csv';
  readonly path: string;
  readonly schema: S;
  readonly timestampField: string | undefined;
  readonly createdTimestampField: string | undefined;
}

function fileSource<S extends Schema>(
  format: 'parquet' | 'csv',
  name: string,
  store: FileStore,
  options: FileSourceOptions<S>,
): FileSource<S> {
  checkName('source', name);
  checkSchema(`source ${name}`, options.schema);
  checkTimestamps(`source ${name}`, options.schema, options);
  const { path, schema, timestampField, createdTimestampField, ...about } = options;
  return Object.freeze({
    kind: 'source',
    type: 'file',
    name,
    store,
    format,
    path,
    schema,
    timestampField,
    createdTimestampField,
    ...about,
  });
}

export const parquetSource = <S extends Schema>(
  name: string,
  store: FileStore,
  options: FileSourceOptions<S>,
): FileSource<S> => fileSource('parquet', name, store, options);

export const csvSource = <S extends Schema>(
  name: string,
  store: FileStore,
  options: FileSourceOptions<S>,
): FileSource<S> => fileSource('csv', name, store, options);

export interface TableSourceOptions<S extends Schema> extends Omit<FileSourceOptions<S>, 'path'> {
  /** The table's or view's name in the database; default: the source's name. */
  readonly table?: string;
  /** The database's schema that it is in; default: `public`. */
  readonly dbSchema?: string;
}

/** A table or a view of a database, read where it is. */
export interface TableSource<S extends Schema = Schema> extends Versioned {
  readonly kind: 'source';
  readonly type: 'table';
  readonly name: string;
  readonly store: PostgresProvider;
  readonly table: string;
  readonly dbSchema: string;
  readonly schema: S;
  readonly timestampField: string | undefined;
  readonly createdTimestampField: string | undefined;
}

/** Declares a table; users call `database.table(...)`. */
export function tableSource<S extends Schema>(
  name: string,
  store: PostgresProvider,
  options: TableSourceOptions<S>,
): TableSource<S> {
  checkName('source', name);
  checkSchema(`source ${name}`, options.schema);
  checkTimestamps(`source ${name}`, options.schema, options);
  const { table = name, dbSchema = 'public', schema, timestampField, createdTimestampField } = options;
  for (const [what, text] of Object.entries({ table, dbSchema }))
    if (typeof text !== 'string' || text === '')
      throw new GranaryError(
        'InvalidDefinition',
        `The source ${name}: ${what} must be a name, such as ${what === 'table' ? "'transactions'" : "'public'"}.`,
      );
  return Object.freeze({
    kind: 'source',
    type: 'table',
    name,
    store,
    table,
    dbSchema,
    schema,
    timestampField,
    createdTimestampField,
    ...aboutOf(options),
  });
}

/** Checks column names and types at run time, for callers without types. */
export function checkSchema(what: string, schema: Schema): void {
  const columns = Object.entries(schema);
  if (columns.length === 0)
    throw new GranaryError('InvalidDefinition', `The schema of ${what} is empty. Declare its columns.`);
  const seen = new Set<string>();
  for (const [column, type] of columns) {
    if (!isValueType(type))
      throw new GranaryError(
        'InvalidDefinition',
        `${what}: column "${column}" has the unknown type "${String(type)}". Use t.int64, t.string, ...`,
      );
    if (column === '' || column.startsWith('__'))
      throw new GranaryError(
        'InvalidDefinition',
        `${what}: the column name "${column}" is not allowed. Names that begin with "__" are Granary's own.`,
      );
    if (isNumberName(column))
      throw new GranaryError(
        'InvalidDefinition',
        `${what}: the column name "${column}" is not allowed: JavaScript moves names that are whole numbers before all others, so the columns would lose their order. Give it another name, such as "c${column}".`,
      );
    if (seen.has(column.toLowerCase()))
      throw new GranaryError(
        'InvalidDefinition',
        `${what}: the column "${column}" is declared twice (engines do not tell upper from lower case).`,
      );
    seen.add(column.toLowerCase());
  }
}

/** Checks that a column is declared, and its type where given. */
export function checkColumn(what: string, schema: Schema, column: string, type?: string): void {
  const found = Object.hasOwn(schema, column) ? schema[column] : undefined;
  if (found === undefined)
    throw new GranaryError(
      'InvalidDefinition',
      `${what}: there is no column "${column}". Columns: ${Object.keys(schema).join(', ')}.`,
    );
  if (type !== undefined && found !== type)
    throw new GranaryError(
      'InvalidDefinition',
      `${what}: the column "${column}" is ${found}; it must be ${type}.`,
    );
}

export function checkTimestamps(
  what: string,
  schema: Schema,
  fields: {
    readonly timestampField?: string | undefined;
    readonly createdTimestampField?: string | undefined;
  },
): void {
  for (const field of [fields.timestampField, fields.createdTimestampField])
    if (field !== undefined) checkColumn(what, schema, field, 'timestamp');
  if (fields.timestampField === undefined && fields.createdTimestampField !== undefined)
    throw new GranaryError(
      'InvalidDefinition',
      `${what} has a createdTimestampField, which decides among rows of one event time, but no timestampField. Where rows have no other time, name "${fields.createdTimestampField}" as timestampField; else leave it out, and the source is constant.`,
    );
}
