import { GranaryError } from '../../../definitions/errors.js';
import { quoteName } from '../../../definitions/sql.js';
import { Timestamp } from '../../../definitions/timestamp.js';
import { literal } from '../duckdb/sql-text.js';
import type { TableRelation } from '../table-provider.js';
import { inspectTable } from './catalogue.js';
import { convert, sqlType, type FoundColumn } from './column-types.js';
import type { Connection } from './connection.js';
import { filterFailure } from '../shape.js';
import { tableSql } from './sql-text.js';
import { stateOf } from './held-tables.js';
import { HIDDEN, tableHolding, versionsTable } from './system-tables.js';

export interface RelationOptions {
  /** A column to add that carries the generation of each row's version (bigint); 0 of a table of others. */
  readonly generation?: string;
}

/**
 * A SELECT of a relation's declared columns in their declared types, restricted to its versions and to `from <= timestampField <
 * before` and to `where`. Checks the table first (see {@link inspectTable}), and that the versions are those that are there.
 */
export async function relationSql(
  c: Connection,
  given: TableRelation,
  { generation }: RelationOptions = {},
): Promise<string> {
  const select = await unfilteredSql(c, given, generation);
  return given.where === undefined ? select : await filtered(c, given, select);
}

async function unfilteredSql(
  c: Connection,
  given: TableRelation,
  generation: string | undefined,
): Promise<string> {
  if (given.versions?.length === 0) return emptySelect(given, generation);
  const relation = await locate(c, given);
  const found = await inspectTable(c, relation);
  const columns = Object.entries(relation.schema).map(([name, type]) => {
    const { family = '' } = found.get(name) ?? {};
    return `${convert(`r.${quoteName(name)}`, type, family)} AS ${quoteName(name)}`;
  });
  const conditions = bounds(relation, found);
  let from = `${tableSql(relation.table)} r`;
  if (relation.versions !== undefined) {
    const all = await checkVersions(c, relation, relation.versions);
    if (!all || generation !== undefined)
      from += ` JOIN (VALUES ${relation.versions.map(({ interval }) => `(timestamptz ${literal(interval.start)}, timestamptz ${literal(interval.end)})`).join(', ')}) v (s, e) ON r.${HIDDEN.start} = v.s AND r.${HIDDEN.end} = v.e`;
  }
  if (generation !== undefined) {
    columns.push(
      relation.versions === undefined
        ? `0::bigint AS ${quoteName(generation)}`
        : `(SELECT g.generation::bigint FROM ${versionsTable(relation.table.schema)} g WHERE g.table_name = ${literal(relation.table.table)} AND g.interval_start = r.${HIDDEN.start} AND g.interval_end = r.${HIDDEN.end}) AS ${quoteName(generation)}`,
    );
  }
  return `SELECT ${columns.join(', ')} FROM ${from}${conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''}`;
}

/**
 * The rows of a SELECT for which the relation's `where` holds.
 * @throws GranaryError `QueryFailed` for what is no condition over its columns.
 */
async function filtered(c: Connection, relation: TableRelation, select: string): Promise<string> {
  // A comment at the condition's end must not swallow the parenthesis.
  const sql = `SELECT * FROM (${select}) "rows" WHERE (${relation.where ?? ''}\n)`;
  await c.query(`${sql} LIMIT 0`).catch((error: unknown) => {
    throw filterFailure(c.subject, relation, error);
  });
  return sql;
}

function emptySelect({ schema }: TableRelation, generation: string | undefined): string {
  const columns = Object.entries(schema).map(
    ([name, type]) => `NULL::${sqlType(type)} AS ${quoteName(name)}`,
  );
  if (generation !== undefined) columns.push(`0::bigint AS ${quoteName(generation)}`);
  return `SELECT ${columns.join(', ')} WHERE false`;
}

/** Compared as the column is, so that an index on it serves; the session's time zone is UTC. */
function bounds(
  { name, timestampField, from, before, schema }: TableRelation,
  found: ReadonlyMap<string, FoundColumn>,
): string[] {
  if (from === undefined && before === undefined) return [];
  if (timestampField === undefined || !found.has(timestampField) || schema[timestampField] !== 'timestamp')
    throw new GranaryError(
      'MissingTimestamp',
      `${name} is read for an interval but has no timestampField: name its event timestamp.`,
    );
  const column = `r.${quoteName(timestampField)}`;
  return [
    ...(from === undefined ? [] : [`${column} >= timestamptz ${literal(Timestamp.from(from).toString())}`]),
    ...(before === undefined
      ? []
      : [`${column} < timestamptz ${literal(Timestamp.from(before).toString())}`]),
  ];
}

/**
 * The relation with the table that its versions lie in, which nobody renames or swaps any more until the transaction ends. The snapshot may be
 * older than a change just before that: a name then means another table than the snapshot's rows say.
 * @throws GranaryError `ProviderUnreachable` in that case: the same again, in a new transaction, is right.
 */
export async function locate(c: Connection, relation: TableRelation): Promise<TableRelation> {
  const [first] = relation.versions ?? [];
  if (!first) return relation;
  const { schema } = relation.table;
  const held = await tableHolding(c, schema, first.dataset);
  // Made anew or gone: the check of versions says so.
  if (held === undefined) return relation;
  const table = { schema, table: held };
  const changed = (cause?: unknown): GranaryError =>
    new GranaryError(
      'ProviderUnreachable',
      `${relation.name}: its table was replaced or renamed at this very moment. Read it again.`,
      { cause },
    );
  await c.run(`LOCK TABLE ${tableSql(table)} IN ACCESS SHARE MODE`).catch((error: unknown) => {
    throw stateOf(error) === '42P01' ? changed(error) : error;
  });
  // pg_class is read as of the snapshot, to_regclass as of now.
  const [isSame] = await c.row(
    `SELECT EXISTS (SELECT FROM pg_class p JOIN pg_namespace n ON n.oid = p.relnamespace
       WHERE n.nspname = $1 AND p.relname = $2 AND p.oid = to_regclass($3))`,
    [schema, held, tableSql(table)],
  );
  if (isSame !== true) throw changed();
  return { ...relation, table };
}

/** Whether the versions are all that the table holds. */
async function checkVersions(
  c: Connection,
  { name, table }: TableRelation,
  versions: NonNullable<TableRelation['versions']>,
): Promise<boolean> {
  const rows = await c.rows(`SELECT dataset FROM ${versionsTable(table.schema)} WHERE table_name = $1`, [
    table.table,
  ]);
  const held = new Set(rows.map(([dataset]) => String(dataset)));
  const gone = versions.find(({ dataset }) => !held.has(dataset));
  if (gone)
    throw new GranaryError(
      'SourceInvalid',
      `${name}: the version for [${gone.interval.start}, ${gone.interval.end}) that was to be read has been made anew since. Run again.`,
      { details: { dataset: gone.dataset } },
    );
  return held.size === versions.length;
}
