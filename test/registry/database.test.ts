import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, expect, it } from 'vitest';
import { openDatabase, registryError } from '../../registry/database.js';
import { until } from '../support/until.js';

const url = process.env['DATABASE_URL'] ?? '';
const database = openDatabase({ url, schema: `granary_test_${randomBytes(5).toString('hex')}` });
const other = new pg.Pool({ connectionString: url, max: 1 });
afterAll(() => Promise.all([database.close(), other.end()]));

it('a server that goes away between two statements of a transaction fails the transaction, not the process', async () => {
  const uncaught: unknown[] = [];
  const note = (error: unknown): unknown => uncaught.push(error);
  process.on('uncaughtException', note);
  const failed = database.db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(tx);
    await other.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await until(
      'the connection is gone',
      async () =>
        (await other.query('SELECT FROM pg_stat_activity WHERE pid = $1', [rows[0]?.pid])).rowCount === 0,
      { timeoutMs: 10_000 },
    );
    await sql`SELECT 1`.execute(tx);
  });
  const error = await failed.then(
    () => undefined,
    (e: unknown) => registryError(e),
  );
  process.off('uncaughtException', note);
  expect(error).toMatchObject({ code: 'ProviderUnreachable' });
  expect(uncaught).toEqual([]);
  // The next one gets a connection that works.
  const { rows } = await sql<{ one: number }>`SELECT 1 AS one`.execute(database.db);
  expect(rows).toEqual([{ one: 1 }]);
});
