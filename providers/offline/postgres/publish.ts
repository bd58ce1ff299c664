import { setTimeout as sleep } from 'node:timers/promises';
import { GranaryError } from '../../../definitions/errors.js';
import { sqlState } from '../../../definitions/postgres-errors.js';
import { literal } from '../duckdb/sql-text.js';
import type { TableVersion } from '../table-provider.js';
import type { Connection } from './connection.js';
import { tableColumns } from './catalogue.js';
import { tableSql } from './sql-text.js';
import { HIDDEN, stagedTable, versionsTable } from './system-tables.js';

/** How often a swap is tried before the rows are copied instead, which waits for no reader. */
const SWAPS = 3;
const LOCK_TIMEOUT_MS = 500;
const PAUSE_MS = 250;

/** Tables that others hold, or that views of others are built on, cannot be swapped. */
const CANNOT_SWAP: ReadonlySet<string> = new Set(['55P03', '2BP01']);

/**
 * Puts a staged table where readers look, in one transaction, and notes the version. A table that holds nothing else is swapped for the
 * staged one by its name; in one with other intervals, or that is in use for too long, the interval's rows are replaced.
 */
export async function publishVersion(
  c: Connection,
  schema: string,
  version: TableVersion,
): Promise<'published' | 'superseded'> {
  for (let attempt = 1; ; attempt++) {
    await c.run('BEGIN');
    try {
      const outcome = await publishOnce(c, schema, version, attempt <= SWAPS);
      await c.run('COMMIT');
      return outcome;
    } catch (error) {
      await c.run('ROLLBACK').catch(() => undefined);
      const state = error instanceof GranaryError ? sqlState(error.cause) : undefined;
      if (state === undefined || !CANNOT_SWAP.has(state) || attempt > SWAPS) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

async function publishOnce(
  c: Connection,
  schema: string,
  { table, staged, interval, generation, dataset }: TableVersion,
  maySwap: boolean,
): Promise<'published' | 'superseded'> {
  const from = tableSql({ schema, table: staged });
  const to = tableSql({ schema, table });
  const at = [table, interval.start, interval.end];
  // One publisher of a table at a time.
  await c.rows('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`granary publish ${to}`]);
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
  const target = await tableColumns(c, { schema, table });
  const others = known.some(([same]) => same !== true);
  if (!target || (!others && maySwap)) {
    await c.run(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await c.run(`DROP TABLE IF EXISTS ${to}; ALTER TABLE ${from} RENAME TO "${table.replaceAll('"', '""')}"`);
  } else {
    const names = columns.map(({ name }) => `"${name.replaceAll('"', '""')}"`).join(', ');
    await c.rows(`DELETE FROM ${to} WHERE ${HIDDEN.start} = $1 AND ${HIDDEN.end} = $2`, at.slice(1));
    await c.run(`INSERT INTO ${to} (${names}) SELECT ${names} FROM ${from}; DROP TABLE ${from}`);
  }
  await c.run(`COMMENT ON TABLE ${to} IS ${literal('Made by Granary; changes to it are lost.')}`);
  await c.rows(
    `INSERT INTO ${versionsTable(schema)} (table_name, interval_start, interval_end, generation, dataset) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (table_name, interval_start, interval_end) DO UPDATE SET generation = excluded.generation, dataset = excluded.dataset, published_at = now()`,
    [...at, generation, dataset],
  );
  await c.rows(`DELETE FROM ${stagedTable(schema)} WHERE table_name = $1`, [staged]);
  return 'published';
}
