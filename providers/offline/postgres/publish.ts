import { GranaryError } from '../../../definitions/errors.js';
import { literal } from '../duckdb/sql-text.js';
import type { Places, TableVersion } from '../table-provider.js';
import { arrangeTables, occupied, tablesLock } from './arrange.js';
import type { Connection } from './connection.js';
import { tableColumns } from './catalogue.js';
import { againWhileHeld, LOCK_TIMEOUT_MS } from './held-tables.js';
import { tableSql } from './sql-text.js';
import { HIDDEN, stagedTable, versionsTable } from './system-tables.js';

/** How often a swap is tried before the rows are copied instead, which waits for no reader. */
const SWAPS = 3;

/**
 * Puts a staged table where readers look, in one transaction, and notes the version. A table that holds nothing else is swapped for the
 * staged one by its name; in one with other intervals, or that is in use for too long, the interval's rows are replaced.
 */
export async function publishVersion(
  c: Connection,
  schema: string,
  version: TableVersion,
  places: Places,
): Promise<'published' | 'superseded'> {
  for (;;) {
    await arrangeTables(c, schema, places);
    // Tables that others hold, or that views of others are built on, cannot be swapped: then rows are copied.
    const outcome = await againWhileHeld(
      c,
      SWAPS + 1,
      (attempt) => publishOnce(c, schema, version, places, attempt <= SWAPS),
      ['2BP01'],
    );
    // Names changed places since they were arranged.
    if (outcome !== 'elsewhere') return outcome;
  }
}

async function publishOnce(
  c: Connection,
  schema: string,
  { target: resource, staged, interval, generation, dataset }: TableVersion,
  places: Places,
  maySwap: boolean,
): Promise<'published' | 'superseded' | 'elsewhere'> {
  // Nobody gives tables other names meanwhile; and one publisher of a resource at a time.
  await tablesLock(c, schema, 'shared');
  await c.rows('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `granary publish ${schema} ${resource}`,
  ]);
  const now = await places();
  const table = now.get(resource);
  if (table === undefined)
    throw new GranaryError('StaleToken', `${resource} was deleted meanwhile; its version is not published.`);
  const from = tableSql({ schema, table: staged });
  const to = tableSql({ schema, table });
  const at = [table, interval.start, interval.end];
  const holders = await c.rows(
    `SELECT DISTINCT target, table_name FROM ${versionsTable(schema)} WHERE target = $1 OR table_name = $2`,
    [resource, table],
  );
  if (holders.some(([holder, name]) => holder !== resource || name !== table)) {
    const unknown = holders.find(([holder]) => !now.has(String(holder)));
    if (unknown) throw occupied(schema, table, resource, String(unknown[0]));
    return 'elsewhere';
  }
  const known = await c.rows(
    `SELECT interval_start = $2 AND interval_end = $3, generation, dataset FROM ${versionsTable(schema)} WHERE table_name = $1`,
    at,
  );
  const own = known.find(([same]) => same === true);
  const isDone = own?.[2] === dataset;
  if (isDone || (own !== undefined && Number(own[1]) > generation)) {
    await c.run(`DROP TABLE IF EXISTS ${from}`);
    await c.rows(`DELETE FROM ${stagedTable(schema)} WHERE table_name = $1`, [staged]);
    return isDone ? 'published' : 'superseded';
  }
  const columns = await tableColumns(c, { schema, table: staged });
  if (!columns)
    throw new GranaryError(
      'SourceMissing',
      `The staged rows of ${table} are gone from the database (${schema}.${staged}): the version cannot be published. Run the interval again with rebuild.`,
    );
  const there = await tableColumns(c, { schema, table });
  const others = known.some(([same]) => same !== true);
  if (!there || (!others && maySwap)) {
    await c.run(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await c.run(`DROP TABLE IF EXISTS ${to}; ALTER TABLE ${from} RENAME TO "${table.replaceAll('"', '""')}"`);
  } else {
    const names = columns.map(({ name }) => `"${name.replaceAll('"', '""')}"`).join(', ');
    await c.rows(`DELETE FROM ${to} WHERE ${HIDDEN.start} = $1 AND ${HIDDEN.end} = $2`, at.slice(1));
    await c.run(`INSERT INTO ${to} (${names}) SELECT ${names} FROM ${from}; DROP TABLE ${from}`);
  }
  await c.run(`COMMENT ON TABLE ${to} IS ${literal('Made by Granary; changes to it are lost.')}`);
  await c.rows(
    `INSERT INTO ${versionsTable(schema)} (table_name, interval_start, interval_end, target, generation, dataset) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (table_name, interval_start, interval_end) DO UPDATE SET generation = excluded.generation, dataset = excluded.dataset, published_at = now()`,
    [...at, resource, generation, dataset],
  );
  await c.rows(`DELETE FROM ${stagedTable(schema)} WHERE table_name = $1`, [staged]);
  return 'published';
}
