import { GranaryError } from '../../../definitions/errors.js';
import type { TableName, TableRelation } from '../table-provider.js';
import { fitsSource, suggestedType, type FoundColumn } from './column-types.js';
import type { Connection } from './connection.js';

/** A type's name below a domain; of an array its items' with `[]`. `enum` stands for every enum. */
const FAMILY = `CASE WHEN e.oid IS NOT NULL THEN (CASE e.typtype WHEN 'e' THEN 'enum' ELSE e.typname END) || '[]'
  WHEN t.typtype = 'e' THEN 'enum' ELSE t.typname END`;
const TYPE_JOINS = `JOIN pg_type d ON d.oid = c.type
  JOIN pg_type t ON t.oid = coalesce(nullif(d.typbasetype, 0), d.oid)
  LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'`;

/** A table's columns in their order; undefined when there is no such table. */
export async function tableColumns(
  c: Connection,
  { schema, table }: TableName,
): Promise<FoundColumn[] | undefined> {
  const [oid] = await c.row(
    `SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v', 'm', 'p', 'f')`,
    [schema, table],
  );
  if (oid === undefined) return undefined;
  const rows = await c.rows(
    `SELECT c.name, ${FAMILY}, format_type(c.type, c.mod) FROM (
       SELECT attname AS name, atttypid AS type, atttypmod AS mod, attnum FROM pg_attribute
       WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped) c ${TYPE_JOINS} ORDER BY c.attnum`,
    [oid],
  );
  return rows.map(([name, family, shown]) => ({
    name: String(name),
    family: String(family),
    shown: String(shown),
  }));
}

/** The columns of a query's result, without running it to its end. */
export async function queryColumns(c: Connection, sql: string): Promise<FoundColumn[]> {
  const { fields } = await c.query(`SELECT * FROM (${sql}\n) q LIMIT 0`);
  const types = new Map(
    (
      await c.rows(
        `SELECT c.type, ${FAMILY}, format_type(c.type, NULL) FROM (SELECT DISTINCT unnest($1::oid[]) AS type) c ${TYPE_JOINS}`,
        [fields.map((field) => field.dataTypeID)],
      )
    ).map(([oid, family, shown]) => [Number(oid), { family: String(family), shown: String(shown) }]),
  );
  return fields.map(({ name, dataTypeID }) => ({
    name,
    ...(types.get(dataTypeID) ?? { family: 'unknown', shown: 'unknown' }),
  }));
}

/**
 * The columns of a relation that is there with what it declares.
 * @throws GranaryError `SourceMissing`, `SchemaMismatch`, `MissingTimestamp`, `ConfigurationMissing`.
 */
export async function inspectTable(
  c: Connection,
  relation: TableRelation,
): Promise<ReadonlyMap<string, FoundColumn>> {
  const { name, table, schema, timestampField, createdTimestampField } = relation;
  const place = `${name} (${table.schema}.${table.table})`;
  const found = await tableColumns(c, table);
  if (!found)
    throw new GranaryError(
      'SourceMissing',
      `${place}: the database has no such table or view, or its user may not see it. Create it, or correct table and dbSchema of the source.`,
    );
  const columns = new Map(found.map((column) => [column.name, column]));
  for (const [column, declared] of Object.entries(schema)) {
    const isTime = column === timestampField || column === createdTimestampField;
    const code = column === timestampField ? 'MissingTimestamp' : 'SchemaMismatch';
    const type = columns.get(column);
    if (!type) throw missing(relation, place, column, [...columns.keys()], code);
    if (fitsSource(declared, type.family)) continue;
    const suggestion = suggestedType(type.family);
    throw new GranaryError(
      code,
      `${place}: column "${column}"${isTime ? ', a timestamp field,' : ''} is declared ${declared} but the table has ${type.shown}. ${
        suggestion === undefined
          ? 'No declared type can hold that: convert the column in a view, or leave it out of the schema'
          : `Declare it as ${suggestion.startsWith('list<') ? `t.list(t.${suggestion.slice(5, -1)})` : `t.${suggestion}`}`
      }.`,
      { details: { column, declared, found: type.shown } },
    );
  }
  const [allowed] = await c.row('SELECT has_table_privilege($1, $2)', [
    `"${table.schema.replaceAll('"', '""')}"."${table.table.replaceAll('"', '""')}"`,
    'SELECT',
  ]);
  if (allowed !== true)
    throw new GranaryError(
      'ConfigurationMissing',
      `${place}: the user of the binding may not read it. Run GRANT SELECT ON ${table.schema}.${table.table} for that user.`,
    );
  return columns;
}

function missing(
  { schema }: TableRelation,
  place: string,
  column: string,
  found: readonly string[],
  code: 'MissingTimestamp' | 'SchemaMismatch',
): GranaryError {
  const similar = found.find(
    (name) => name.toLowerCase() === column.toLowerCase() && schema[name] === undefined,
  );
  return new GranaryError(
    code,
    `${place} has no column "${column}", which is declared. It has ${found.map((name) => `"${name}"`).join(', ')}. ${
      similar === undefined ? 'Correct the schema or the table.' : `Did you mean "${similar}"?`
    }`,
    { details: { column, found } },
  );
}
