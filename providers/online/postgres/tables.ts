import { randomUUID } from 'node:crypto';
import type { ClientBase } from 'pg';
import { GranaryError } from '../../../definitions/errors.js';
import { quoteName } from '../../../definitions/sql.js';
import type { OnlineView } from '../provider.js';
import { fencesTable, formerTable, tableName, viewTables } from './names.js';
import { statements } from './statements.js';

const STATEMENT_TIMEOUT_MS = 60_000;

/** What Feast's reader and writer use. `value_num` is there on its request only. */
const FEAST_COLUMNS = [
  'entity_key',
  'feature_name',
  'value',
  'value_text',
  'vector_value',
  'event_ts',
  'created_ts',
] as const;

/** The columns beside the features of a table in the layout that Granary had before Feast's. */
const FORMER_COLUMNS = [
  'entity_key',
  'event_timestamp',
  'created_timestamp',
  'promotion',
  'generation',
] as const;

/** Quoted names of the tables beside those of views. */
export interface StoreTables {
  readonly stores: string;
  readonly receipts: string;
  readonly fences: string;
  /** Whose each view's table is. */
  readonly views: string;
}

/** Runs statements in one transaction; each is cancelled by the server after a minute. */
export async function inTransaction<T>(client: ClientBase, run: () => Promise<T>): Promise<T> {
  // Not a setting of the connection: poolers such as PgBouncer refuse those.
  // Compiling a statement takes longer than running it: thousands of look-ups by key look dear to the planner.
  await client.query(`BEGIN; SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}; SET LOCAL jit = off`);
  try {
    const result = await run();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** The tables of store ids, of receipts, of promotions' fences and of views' tables, made when they are absent. */
export async function ensureStoreTables(client: ClientBase, schema: string): Promise<StoreTables> {
  const inSchema = (name: string): string => `${quoteName(schema)}.${name}`;
  const stores = inSchema('granary_store');
  const receipts = inSchema('granary_receipts');
  const views = inSchema('granary_views');
  const fences = fencesTable(schema);
  // The last one made stands for all.
  if ((await columnsOf(client, views)).size === 0)
    await define(client, schema, async () => {
      for (const table of [
        `${stores} (project text PRIMARY KEY, store_id text NOT NULL)`,
        `${receipts} (project text, view text, receipt bigint NOT NULL, PRIMARY KEY (project, view))`,
        `${fences} (project text, view text, promotion bigint NOT NULL, PRIMARY KEY (project, view))`,
        `${views} (table_name text PRIMARY KEY, project text NOT NULL, view text NOT NULL)`,
      ])
        await client.query(`CREATE TABLE IF NOT EXISTS ${table}`);
    });
  return { stores, receipts, fences, views };
}

/**
 * The tables of a view; where they are there already nothing is touched, nor locked. Where one has to be made although a receipt vouches
 * for rows, these are gone (Feast tore the view down, or they lie in the layout that was before): the store gets a new id, so that all is
 * loaded again.
 * @throws GranaryError `InvalidDefinition` when the table is another view's, `SchemaMismatch` when it is not one of Feast's.
 */
export async function ensureViewTables(client: ClientBase, schema: string, view: OnlineView): Promise<void> {
  const name = tableName(view);
  const { features, orders } = viewTables(schema, view);
  const { createFeatures, createOrders } = statements(schema, view);
  const { stores, receipts, views } = await ensureStoreTables(client, schema);
  const missing = async (): Promise<string[]> => {
    const stored = await columnsOf(client, features);
    const lacking = FEAST_COLUMNS.filter((column) => !stored.has(column));
    if (stored.size > 0 && lacking.length > 0)
      throw new GranaryError(
        'SchemaMismatch',
        `The table ${features} is not in Feast's layout: it lacks ${lacking.join(', ')}. The view ${view.name} is kept under this name: rename or drop what lies there, then run again.`,
      );
    return [
      ...(stored.size === 0 ? [createFeatures] : []),
      ...((await columnsOf(client, orders)).size === 0 ? [createOrders] : []),
    ];
  };
  const owner = async (): Promise<{ project: string; view: string } | undefined> => {
    const { rows } = await client.query<{ project: string; view: string }>(
      `SELECT project, view FROM ${views} WHERE table_name = $1`,
      [name],
    );
    const [found] = rows;
    if (found && (found.project !== view.project || found.view !== view.name))
      throw new GranaryError(
        'InvalidDefinition',
        `The view ${view.name} of ${view.project} and the view ${found.view} of ${found.project} would both be kept in the table ${features}, as Feast names it. Rename one of them, or keep the projects in two schemas.`,
      );
    return found;
  };
  if ((await owner()) && (await missing()).length === 0) return;
  await define(client, schema, async () => {
    await client.query(`INSERT INTO ${views} VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, [
      name,
      view.project,
      view.name,
    ]);
    await owner();
    const made = await missing();
    for (const create of made) await client.query(create);
    if (made.length === 0) return;
    await client.query(
      `UPDATE ${stores} SET store_id = $3 WHERE project = $1 AND EXISTS (SELECT FROM ${receipts} WHERE project = $1 AND view = $2)`,
      [view.project, view.name, randomUUID()],
    );
    if (await isFormer(client, schema, view)) await client.query(`DROP TABLE ${formerTable(schema, view)}`);
  });
}

/**
 * Drops a view's tables and receipt, if it is wanted still. The table is locked before that is asked: what others create anew meanwhile
 * cannot be written to before this one has ended, and whoever writes then finds no table and loads again.
 */
export async function dropViewTables(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  isWanted: () => Promise<boolean>,
): Promise<void> {
  const tables = viewTables(schema, view);
  const { receipts, fences, views } = await ensureStoreTables(client, schema);
  await inTransaction(client, async () => {
    await lockDefinitions(client, schema);
    const { rowCount } = await client.query(
      `SELECT FROM ${views} WHERE table_name = $1 AND project = $2 AND view = $3`,
      [tableName(view), view.project, view.name],
    );
    // Another view's table under this name, or one that Granary never prepared, is not ours to drop.
    const ours = rowCount === 0 ? [] : [tables.orders, tables.features];
    if (await isFormer(client, schema, view)) ours.push(formerTable(schema, view));
    const there: string[] = [];
    for (const table of ours) if ((await columnsOf(client, table)).size > 0) there.push(table);
    for (const table of there) await client.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    if (!(await isWanted()))
      throw new GranaryError(
        'StaleToken',
        `The view ${view.name} is not to be removed any more; nothing was done.`,
      );
    for (const noted of [receipts, fences, views])
      await client.query(`DELETE FROM ${noted} WHERE project = $1 AND view = $2`, [view.project, view.name]);
    for (const table of there) await client.query(`DROP TABLE ${table}`);
  });
}

/** Whether the view lies in the layout that was before. */
async function isFormer(client: ClientBase, schema: string, view: OnlineView): Promise<boolean> {
  const columns = await columnsOf(client, formerTable(schema, view));
  return FORMER_COLUMNS.every((column) => columns.has(column));
}

/** The names of a table's columns; none when there is no such table. `table` is quoted. */
export async function columnsOf(client: ClientBase, table: string): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ attname: string }>(
    'SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped',
    [table],
  );
  return new Set(rows.map(({ attname }) => attname));
}

/** Waits until nobody else defines things in the schema, until the end of the transaction. */
async function lockDefinitions(client: ClientBase, schema: string): Promise<void> {
  await client.query("SELECT pg_advisory_xact_lock(hashtextextended('granary online ' || $1, 0))", [schema]);
}

/** Defines things in the schema, one process after the other: Postgres's IF NOT EXISTS is not safe side by side. */
async function define(client: ClientBase, schema: string, run: () => Promise<unknown>): Promise<void> {
  await inTransaction(client, async () => {
    await lockDefinitions(client, schema);
    const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
    // Only when it is absent: creating a schema takes a privilege that using one does not.
    if (rowCount === 0) await client.query(`CREATE SCHEMA ${quoteName(schema)}`);
    await run();
  });
}
