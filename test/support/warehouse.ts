import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { listItem, type ScalarType, type Schema, type ValueType } from '../../definitions/types.js';
import { postgresOfflineProvider } from '../../providers/offline/postgres/provider.js';
import type { TableProvider, TableRelation } from '../../providers/offline/table-provider.js';
import type { Values } from './pit-reference.js';

/** A database of sources with a schema of a test's own, and one where Granary puts what it makes. */
export interface Warehouse {
  readonly provider: TableProvider;
  readonly pg: pg.Pool;
  /** The schema of the test's own tables. */
  readonly schema: string;
  readonly url: string;
  /** Creates a table of rows. */
  place(name: string, schema: Schema, rows: readonly Values[]): Promise<TableRelation>;
  remove(): Promise<void>;
}

const SQL_TYPES: Readonly<Record<ScalarType, string>> = {
  bool: 'boolean',
  int32: 'integer',
  int64: 'bigint',
  float32: 'real',
  float64: 'double precision',
  string: 'text',
  bytes: 'bytea',
  timestamp: 'timestamptz',
};

export async function createWarehouse(): Promise<Warehouse> {
  const url = process.env['DATABASE_URL'];
  if (url === undefined) throw new Error('DATABASE_URL is not set: run the tests by npm test');
  const pool = new pg.Pool({ connectionString: url, max: 2, options: '-c TimeZone=UTC' });
  pool.on('error', () => undefined);
  const schema = `w${randomBytes(5).toString('hex')}`;
  await pool.query(`CREATE SCHEMA ${schema}`);
  const provider = postgresOfflineProvider({ url: () => url, schema: `${schema}_offline` });
  let tables = 0;
  return {
    provider,
    pg: pool,
    schema,
    url,
    async place(name, columns, rows) {
      const table = `t${tables++}`;
      const types = Object.values(columns).map(sqlType);
      const names = Object.keys(columns).map((column) => `"${column.replaceAll('"', '""')}"`);
      await pool.query(
        `CREATE TABLE ${schema}.${table} (${names.map((column, i) => `${column} ${types[i] ?? ''}`).join(', ')})`,
      );
      if (rows.length > 0)
        await pool.query(
          `INSERT INTO ${schema}.${table} SELECT ${types.map((type, i) => `v${i}::${type}`).join(', ')} FROM unnest(${types.map((_, i) => `$${i + 1}::text[]`).join(', ')}) u (${types.map((_, i) => `v${i}`).join(', ')})`,
          Object.keys(columns).map((column) => rows.map((row) => text(row[column]))),
        );
      return { name, table: { schema, table }, schema: columns };
    },
    async remove() {
      // A transaction that drops thousands of tables runs out of locks.
      for (let left = true; left;) {
        const { rows } = await pool.query<{ readonly name: string }>(
          `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ($1, $2) LIMIT 500`,
          [schema, `${schema}_offline`],
        );
        left = rows.length > 0;
        if (left) await pool.query(`DROP TABLE ${rows.map(({ name }) => name).join(', ')} CASCADE`);
      }
      await pool.query(`DROP SCHEMA ${schema} CASCADE; DROP SCHEMA IF EXISTS ${schema}_offline CASCADE`);
      await pool.end();
    },
  };
}

function sqlType(type: ValueType): string {
  const item = listItem(type);
  return item === undefined ? SQL_TYPES[type as ScalarType] : `${SQL_TYPES[item]}[]`;
}

const text = (value: unknown): string | null => {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return `{${value.map(quoted).join(',')}}`;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  return Object.is(value, -0) ? '-0' : String(value as string | number | bigint | boolean);
};

const quoted = (item: unknown): string => {
  const plain = text(item);
  return plain === null ? 'NULL' : `"${plain.replace(/["\\]/g, '\\$&')}"`;
};
