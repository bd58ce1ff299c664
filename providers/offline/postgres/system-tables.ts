import { createHash } from 'node:crypto';
import { literal } from '../duckdb/sql-text.js';
import type { StageOwner } from '../table-provider.js';
import type { Connection } from './connection.js';
import { tableSql } from './sql-text.js';

/** Columns of tables that Granary made, beside the declared ones. */
export const HIDDEN = {
  start: '__interval_start',
  end: '__interval_end',
  row: '__row',
  shard: '__shard',
} as const;

/** Which version of which interval of which resource (`target`) a table holds. Names of resources never begin with `__`. */
export const versionsTable = (schema: string): string => tableSql({ schema, table: '__granary_versions' });
/** The tables of attempts, with whose they are. */
export const stagedTable = (schema: string): string => tableSql({ schema, table: '__granary_staged' });

/** The table that a version lies in; undefined when it lies in none. */
export async function tableHolding(
  c: Connection,
  schema: string,
  dataset: string,
): Promise<string | undefined> {
  const [table] = await c.row(`SELECT table_name FROM ${versionsTable(schema)} WHERE dataset = $1`, [
    dataset,
  ]);
  return typeof table === 'string' ? table : undefined;
}

/** The table of an attempt: no other has its name. */
export const stageName = ({ run, target, token }: StageOwner): string =>
  `__stage_${createHash('sha256').update(`${run}\0${target}\0${token}`).digest('hex').slice(0, 24)}`;

/** Creates Granary's schema and its own tables where they are not there yet; safe from many processes at once. */
export async function ensureSchema(c: Connection, schema: string): Promise<void> {
  const [there] = await c.row('SELECT to_regclass($1) IS NOT NULL', [stagedTable(schema)]);
  if (there === true) return;
  await c.run('BEGIN');
  try {
    // CREATE ... IF NOT EXISTS races with itself.
    await c.rows("SELECT pg_advisory_xact_lock(hashtextextended('granary offline ' || $1, 0))", [schema]);
    const [known] = await c.row('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
    // Only when it is absent: creating a schema takes a privilege that using one does not.
    if (known === undefined) await c.run(`CREATE SCHEMA "${schema.replaceAll('"', '""')}"`);
    await c.run(`CREATE TABLE IF NOT EXISTS ${versionsTable(schema)} (
      table_name text NOT NULL, interval_start timestamptz NOT NULL, interval_end timestamptz NOT NULL,
      target text NOT NULL, generation integer NOT NULL, dataset text NOT NULL, published_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (table_name, interval_start, interval_end));
    CREATE TABLE IF NOT EXISTS ${stagedTable(schema)} (
      table_name text PRIMARY KEY, run_id text NOT NULL, target text NOT NULL, token bigint NOT NULL,
      detail jsonb, created_at timestamptz NOT NULL DEFAULT now());`);
    await c.run('COMMIT');
  } catch (error) {
    await c.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/**
 * Creates an attempt's table from a SELECT, and notes whose it is, in the transaction under way: both are there or neither. Resolves to the
 * table, as SQL and by its name.
 */
export async function createStaged(
  c: Connection,
  schema: string,
  owner: StageOwner,
  select: string,
  detail: unknown = null,
): Promise<{ readonly table: string; readonly sql: string }> {
  const table = stageName(owner);
  const sql = tableSql({ schema, table });
  await c.rows(
    `INSERT INTO ${stagedTable(schema)} (table_name, run_id, target, token, detail) VALUES ($1, $2, $3, $4, $5)`,
    [table, owner.run, owner.target, owner.token, JSON.stringify(detail)],
  );
  await c.run(`CREATE TABLE ${sql} AS ${select}`);
  await c.run(`COMMENT ON TABLE ${sql} IS ${literal(`Granary: ${owner.target}, not published yet`)}`);
  return { table, sql };
}
