import type { ClientBase } from 'pg';
import { GranaryError } from '../../../definitions/errors.js';
import { quoteName } from '../../../definitions/sql.js';
import type { OnlineView } from '../provider.js';
import { columnName, fencesTable } from './names.js';
import { statements } from './statements.js';

const STATEMENT_TIMEOUT_MS = 60_000;

/** Runs statements in one transaction; each is cancelled by the server after a minute. */
export async function inTransaction<T>(client: ClientBase, run: () => Promise<T>): Promise<T> {
  // Not a setting of the connection: poolers such as PgBouncer refuse those.
  await client.query(`BEGIN; SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
  try {
    const result = await run();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** The tables of store ids, of receipts and of promotions' fences, made when they are absent; their quoted names. */
export async function ensureStoreTables(
  client: ClientBase,
  schema: string,
): Promise<{ readonly stores: string; readonly receipts: string; readonly fences: string }> {
  const stores = `${quoteName(schema)}.granary_store`;
  const receipts = `${quoteName(schema)}.granary_receipts`;
  const fences = fencesTable(schema);
  if ((await columnsOf(client, fences)).size === 0)
    await define(client, schema, async () => {
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${stores} (project text PRIMARY KEY, store_id text NOT NULL)`,
      );
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${receipts} (project text, view text, receipt bigint NOT NULL, PRIMARY KEY (project, view))`,
      );
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${fences} (project text, view text, promotion bigint NOT NULL, PRIMARY KEY (project, view))`,
      );
    });
  return { stores, receipts, fences };
}

/** The table of a view with a column for each feature; what is there already is not touched, nor locked. */
export async function ensureViewTable(client: ClientBase, schema: string, view: OnlineView): Promise<void> {
  const { table, create } = statements(schema, view);
  const missing = async (): Promise<string[]> => {
    const there = await columnsOf(client, table);
    const names = [...view.features.map(({ name }) => name), ...(view.retired ?? [])];
    return ['entity_key', ...names.map(columnName)].filter((name) => !there.has(name));
  };
  if ((await missing()).length === 0) return;
  await define(client, schema, async () => {
    await client.query(create);
    const columns = await missing();
    if (columns.length > 0)
      await client.query(
        `ALTER TABLE ${table} ${columns.map((column) => `ADD COLUMN ${quoteName(column)} bytea`).join(', ')}`,
      );
  });
}

/**
 * Drops a view's table and receipt, if it is wanted still. The table is locked before that is asked: what others create anew meanwhile
 * cannot be written to before this one has ended, and whoever writes then finds no table and loads again.
 */
export async function dropViewTable(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  isWanted: () => Promise<boolean>,
): Promise<void> {
  const { table } = statements(schema, view);
  const { receipts, fences } = await ensureStoreTables(client, schema);
  await inTransaction(client, async () => {
    await lockDefinitions(client, schema);
    const isThere = (await columnsOf(client, table)).size > 0;
    if (isThere) await client.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    if (!(await isWanted()))
      throw new GranaryError(
        'StaleToken',
        `The view ${view.name} is not to be removed any more; nothing was done.`,
      );
    for (const noted of [receipts, fences])
      await client.query(`DELETE FROM ${noted} WHERE project = $1 AND view = $2`, [view.project, view.name]);
    if (isThere) await client.query(`DROP TABLE ${table}`);
  });
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
