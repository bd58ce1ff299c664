/**
 * Creates the database and the table `transactions` and fills it with 20,000 generated rows. A table that has rows is left alone:
 * bring your own. Run: `npx tsx examples/fraud/load-data.ts`, with FRAUD_DATABASE_URL set to a Postgres database that need not
 * exist yet.
 */
import pg from 'pg';
import { generateTransactions, type Transaction } from './transactions.js';

const ROWS = 20_000;
const DATABASE_ABSENT = '3D000';
const DATABASE_EXISTS = '42P04';
const url = process.env['FRAUD_DATABASE_URL'];
if (url === undefined || url === '')
  throw new Error('Set FRAUD_DATABASE_URL, for example to postgres://postgres@localhost:5432/fraud');

await createDatabase(url);
const client = new pg.Client({ connectionString: url });
await client.connect();
try {
  // All or nothing: cut short, it leaves no half-filled table.
  await client.query('BEGIN');
  await client.query(`CREATE TABLE IF NOT EXISTS transactions (
    transactionid text PRIMARY KEY, customerid text, customerdob date, custlocation text, custaccountbalance float8,
    transactionamount float8, "timestamp" timestamptz, isfraud boolean)`);
  const { rowCount } = await client.query('SELECT FROM transactions LIMIT 1');
  if (rowCount === 0) await insert(client, generateTransactions(ROWS));
  await client.query('COMMIT');
  const { rows } = await client.query<{ rows: string; customers: string; fraud: string }>(
    'SELECT count(*) AS rows, count(DISTINCT customerid) AS customers, count(*) FILTER (WHERE isfraud) AS fraud FROM transactions',
  );
  const [found] = rows;
  console.log(
    `${rowCount === 0 ? 'Loaded' : 'Found'} ${found?.rows} transactions of ${found?.customers} customers, ${found?.fraud} of them fraud.`,
  );
} finally {
  await client.end();
}

/** Connects to the server's own database where the one that is asked for does not exist, and creates it. */
async function createDatabase(address: string): Promise<void> {
  const target = new URL(address);
  const name = decodeURIComponent(target.pathname.slice(1));
  const probe = new pg.Client({ connectionString: address });
  try {
    await probe.connect();
    return;
  } catch (error) {
    if ((error as { code?: string }).code !== DATABASE_ABSENT) throw error;
  } finally {
    await probe.end().catch(() => undefined);
  }
  target.pathname = '/postgres';
  const server = new pg.Client({ connectionString: target.href });
  await server.connect();
  try {
    await server.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    // Somebody else was faster.
    if ((error as { code?: string }).code !== DATABASE_EXISTS) throw error;
  } finally {
    await server.end();
  }
}

async function insert(to: pg.Client, rows: readonly Transaction[]): Promise<void> {
  const column = <K extends keyof Transaction>(name: K): Transaction[K][] => rows.map((row) => row[name]);
  await to.query(
    `INSERT INTO transactions SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::float8[], $6::float8[],
     $7::timestamptz[], $8::boolean[])`,
    [
      column('transactionid'),
      column('customerid'),
      column('customerdob'),
      column('custlocation'),
      column('custaccountbalance'),
      column('transactionamount'),
      column('timestamp'),
      column('isfraud'),
    ],
  );
}
