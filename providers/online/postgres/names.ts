import { createHash } from 'node:crypto';
import { GranaryError } from '../../../definitions/errors.js';
import { quoteName } from '../../../definitions/sql.js';
import type { OnlineView } from '../provider.js';

/** Longest name that Postgres keeps whole, in bytes. */
const MAX_BYTES = 63;

/** The tables of one view, with the schema and quoted. */
export interface ViewTables {
  /** Feast's table: a row a feature. */
  readonly features: string;
  /** Granary's own beside it: a row an entity, with the order that it was written with. */
  readonly orders: string;
}

/**
 * The name of a view's table, as Feast computes it: `<project>_<view>`.
 * @throws GranaryError `InvalidDefinition` when Postgres would cut it off: Feast's own tables would then be confused with each other.
 */
export function tableName({ project, name }: OnlineView): string {
  const table = `${project}_${name}`;
  const bytes = Buffer.byteLength(table);
  if (bytes > MAX_BYTES)
    throw new GranaryError(
      'InvalidDefinition',
      `The view ${name} cannot be served from Postgres: its table is called "${table}" in Feast's layout, which is ${bytes} bytes long, and Postgres cuts names off after ${MAX_BYTES}. Give the view (or its variant) a name that is ${bytes - MAX_BYTES} bytes shorter, or serve it from Redis.`,
    );
  return table;
}

/** Whether a view's table can have the name that Feast computes. */
export function fitsPostgres({ project, name }: OnlineView): boolean {
  return Buffer.byteLength(`${project}_${name}`) <= MAX_BYTES;
}

/** @throws GranaryError `InvalidDefinition`; see {@link tableName}. */
export function viewTables(schema: string, view: OnlineView): ViewTables {
  const table = tableName(view);
  const inSchema = (name: string): string => `${quoteName(schema)}.${quoteName(name)}`;
  return { features: inSchema(table), orders: inSchema(ownName(table)) };
}

/** No view's table can have this name: names of projects and views begin with a letter. */
function ownName(table: string): string {
  const name = `__granary:${table}`;
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const suffix = `_${createHash('sha256').update(table).digest('hex').slice(0, 12)}`;
  let head = name;
  while (Buffer.byteLength(head) + suffix.length > MAX_BYTES) head = head.slice(0, -1);
  return head + suffix;
}

/** The table in which an earlier layout of Granary's kept a view: a row an entity, a column a feature. */
export function formerTable(schema: string, { project, name }: OnlineView): string {
  return `${quoteName(schema)}.${quoteName(`${project}__${name}`)}`;
}

/** The quoted name of the table of promotions' fences. */
export const fencesTable = (schema: string): string => `${quoteName(schema)}.granary_fences`;

/** A text as an SQL literal. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
