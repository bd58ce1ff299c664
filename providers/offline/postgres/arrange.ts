import { GranaryError } from '../../../definitions/errors.js';
import type { Places } from '../table-provider.js';
import type { Connection } from './connection.js';
import { againWhileHeld, LOCK_TIMEOUT_MS, stateOf } from './held-tables.js';
import { tableSql } from './sql-text.js';
import { stagedTable, versionsTable } from './system-tables.js';

/** How often readers are waited for, before whoever called tries again later. */
const ATTEMPTS = 20;

interface Move {
  readonly target: string;
  readonly from: string;
  readonly to: string;
}

/** Held by all who publish together, and alone by who gives tables other names or drops them; until the transaction ends. */
export async function tablesLock(c: Connection, schema: string, how: 'shared' | 'alone'): Promise<void> {
  await c.rows(
    `SELECT pg_advisory_xact_lock${how === 'shared' ? '_shared' : ''}(hashtextextended('granary tables ' || $1, 0))`,
    [schema],
  );
}

/**
 * Renames tables to what the registry says, through names of no one, in one transaction with the rows that say whose they are: cut off anywhere,
 * all is as before. The rows are asked for what is left to do, so that anyone may repeat it.
 */
export async function arrangeTables(c: Connection, schema: string, places: Places): Promise<void> {
  // Nearly always there is nothing to do: that is found out without a lock.
  if (!(await hasTables(c, schema)) || (await movesOf(c, schema, await places())).length === 0) return;
  await againWhileHeld(c, ATTEMPTS, async () => {
    await tablesLock(c, schema, 'alone');
    const moves = await movesOf(c, schema, await places());
    await c.run(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    for (const [i, { target, from }] of moves.entries())
      await rename(c, schema, target, from, `__moving_${i}`);
    for (const [i, { target, to }] of moves.entries()) await rename(c, schema, target, `__moving_${i}`, to);
  });
}

/**
 * Drops what Granary made for a resource, if it is wanted still: its tables are locked before that is asked, so that what others do meanwhile is
 * done before or after.
 */
export async function dropTables(
  c: Connection,
  schema: string,
  target: string,
  isWanted: () => Promise<boolean>,
): Promise<void> {
  if (!(await hasTables(c, schema))) return;
  await againWhileHeld(c, ATTEMPTS, async () => {
    await tablesLock(c, schema, 'alone');
    await c.run(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    const rows = await c.rows(
      `SELECT table_name, to_regclass(format('%I.%I', $2::text, table_name)) IS NOT NULL FROM (
         SELECT table_name FROM ${versionsTable(schema)} WHERE target = $1
         UNION SELECT table_name FROM ${stagedTable(schema)} WHERE target = $1) t ORDER BY 1`,
      [target, schema],
    );
    const tables = rows.filter(([, isThere]) => isThere === true).map(([name]) => String(name));
    for (const table of tables)
      await c.run(`LOCK TABLE ${tableSql({ schema, table })} IN ACCESS EXCLUSIVE MODE`);
    if (!(await isWanted()))
      throw new GranaryError('StaleToken', `${target} is not to be removed any more; nothing was done.`);
    for (const table of tables)
      await c.run(`DROP TABLE ${tableSql({ schema, table })}`).catch((error: unknown) => {
        throw stateOf(error) === '2BP01' ? inUse(schema, table, error) : error;
      });
    for (const noted of [versionsTable(schema), stagedTable(schema)])
      await c.rows(`DELETE FROM ${noted} WHERE target = $1`, [target]);
  });
}

/** The name that a resource's table is to have is that of another's, of which nobody knows any more. */
export const occupied = (schema: string, table: string, target: string, other: string): GranaryError =>
  new GranaryError(
    'ConfigurationMissing',
    `${schema}.${table} is to hold ${target}, but it holds ${other}, which the registry does not know (was it made anew?). Drop that table, and delete its rows of ${schema}.__granary_versions; then run again.`,
  );

const inUse = (schema: string, table: string, cause: unknown): GranaryError =>
  new GranaryError(
    'RemovalRefused',
    `The table ${schema}.${table} is not dropped: views that others made are built on it. Drop these (psql's \\d+ shows them), then delete again.`,
    { cause },
  );

async function hasTables(c: Connection, schema: string): Promise<boolean> {
  const [isThere] = await c.row('SELECT to_regclass($1) IS NOT NULL', [stagedTable(schema)]);
  return isThere === true;
}

/** Tables that do not lie where they are to. Those of resources that the registry does not know stay. */
async function movesOf(
  c: Connection,
  schema: string,
  places: ReadonlyMap<string, string>,
): Promise<readonly Move[]> {
  const rows = await c.rows(`SELECT DISTINCT target, table_name FROM ${versionsTable(schema)} ORDER BY 1, 2`);
  const now = rows.map(([target, table]) => ({ target: String(target), from: String(table) }));
  const moves = now.flatMap(({ target, from }) => {
    const to = places.get(target);
    return to === undefined || to === from ? [] : [{ target, from, to }];
  });
  for (const { target, to } of moves) {
    const other = now.find(({ from }) => from === to);
    if (other && !moves.some(({ from }) => from === to)) throw occupied(schema, to, target, other.target);
  }
  return moves;
}

async function rename(
  c: Connection,
  schema: string,
  target: string,
  from: string,
  to: string,
): Promise<void> {
  await c.run(
    `ALTER TABLE IF EXISTS ${tableSql({ schema, table: from })} RENAME TO "${to.replaceAll('"', '""')}"`,
  );
  await c.rows(`UPDATE ${versionsTable(schema)} SET table_name = $3 WHERE target = $1 AND table_name = $2`, [
    target,
    from,
    to,
  ]);
}
