import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { columnName, tableName } from '../../providers/online/postgres/names.js';
import { postgresError } from '../../providers/online/postgres/postgres-errors.js';
import { postgresOnlineProvider } from '../../providers/online/postgres/provider.js';
import { T0, userView, writeRows } from './online-rows.js';

const url = process.env['DATABASE_URL'];

describe.skipIf(url === undefined)('online store postgres, in its own layout (needs DATABASE_URL)', () => {
  const schema = `granary_layout_${randomBytes(6).toString('hex')}`;
  const provider = postgresOnlineProvider({ url: url ?? 'postgresql://localhost', schema });
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  afterAll(async () => {
    await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await pool.end();
    await provider.close();
  });

  it('holds a row as plain columns that SQL can read', async () => {
    const view = userView({
      project: 'shop',
      features: [
        { name: 'f', type: 'int64' },
        { name: 'g', type: 'string' },
      ],
    });
    await provider.prepare(view);
    await provider.write(view, 2, {
      rows: 1,
      keys: [[1001n]],
      values: [[17n], [null]],
      eventTimes: [T0 + 1n],
      createdTimes: [null],
      generations: [3],
    });
    const { rows } = await pool.query(
      `SELECT encode(entity_key, 'hex') AS key, event_timestamp::text, created_timestamp, promotion::int, generation::int, encode(f, 'hex') AS f, g FROM ${schema}.shop__user_features`,
    );
    expect(rows).toEqual([
      {
        key: '010000000200000007000000757365725f69640400000008000000e903000000000000',
        event_timestamp: expect.stringContaining('.000001') as string,
        created_timestamp: null,
        promotion: 2,
        generation: 3,
        f: '2011',
        g: null,
      },
    ]);
  });

  it('prepares and writes with no more than the privileges on its own schema', async () => {
    const role = `loader_${randomBytes(4).toString('hex')}`;
    const view = userView();
    await provider.prepare(view);
    await provider.state(view.project);
    await pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 's3cret'`);
    await pool.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
    await pool.query(`GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
    const limited = new URL(url ?? '');
    limited.username = role;
    limited.password = 's3cret';
    const loader = postgresOnlineProvider({ url: limited.href, schema });
    try {
      await loader.prepare(view);
      await loader.state(view.project);
      expect(await writeRows(loader, view, 1, [{ event: 0, value: 1n }])).toBe('1w 0o 0u');
      await expect(loader.prepare({ ...view, name: 'new' })).rejects.toMatchObject({
        code: 'ConfigurationMissing',
      });
    } finally {
      await loader.close();
      await pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('says that the store was replaced when a table is gone in the middle of a load', async () => {
    const view = userView();
    await provider.prepare(view);
    await pool.query(`DROP TABLE ${schema}.${tableName(view)}`);
    await expect(writeRows(provider, view, 1, [{ event: 0, value: 1n }])).rejects.toMatchObject({
      code: 'StoreReplaced',
    });
    expect(await provider.read(view, [[1n]], ['f'])).toEqual([undefined]);
  });

  it('refuses an instant that Postgres cannot hold, before writing', async () => {
    const view = userView();
    await provider.prepare(view);
    const far = { event: 0, value: 1n, created: 9.3e18 };
    await expect(writeRows(provider, view, 1, [far])).rejects.toMatchObject({ code: 'ValueOutOfRange' });
  });

  it('works on after its connections were ended by the server', async () => {
    const view = userView();
    await provider.prepare(view);
    await pool.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE $1',
      [`%${schema}%`],
    );
    const results = await Promise.allSettled(
      [1, 2, 3].map((event) => writeRows(provider, view, 1, [{ event, value: 1n }])),
    );
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ProviderUnreachable' });
    expect(await writeRows(provider, view, 1, [{ event: 9, value: 1n }])).toBe('1w 0o 0u');
  });
});

describe('online store postgres', () => {
  it('names tables so that no two views share one, within 63 bytes', () => {
    const name = (project: string, view: string): string => tableName(userView({ project, name: view }));
    expect(name('shop_dev', 'user_features')).toBe('shop_dev__user_features');
    const names = [
      name('a__b', 'c'),
      name('a', 'b__c'),
      name('a_', 'b'),
      name('a', '_b'),
      name('x'.repeat(70), 'a'),
      name('x'.repeat(70), 'b'),
      name('ż'.repeat(40), 'a'),
      name('a', '🚀'.repeat(20)),
    ];
    expect(new Set(names).size).toBe(names.length);
    for (const each of names) expect(Buffer.byteLength(each)).toBeLessThanOrEqual(63);
    expect(columnName('f_mean_delay')).toBe('f_mean_delay');
    expect(columnName('promotion')).toMatch(/^promotion_[0-9a-f]{12}$/);
    expect(columnName('xmin')).not.toBe('xmin');
  });

  it.each([
    ['28P01', 'ConfigurationMissing'],
    ['3D000', 'ConfigurationMissing'],
    ['42501', 'ConfigurationMissing'],
    ['53100', 'ResourcesExhausted'],
    ['53300', 'ResourcesExhausted'],
    ['57P03', 'ProviderUnreachable'],
    ['42703', 'SchemaMismatch'],
    ['22P02', 'QueryFailed'],
  ])('tells SQLSTATE %s as %s', (code, expected) => {
    const error = Object.assign(new Error('what Postgres said'), { code, severity: 'ERROR' });
    expect(postgresError(error, 'postgres at postgresql://db:5432/x')).toMatchObject({
      code: expected,
      message: expect.stringContaining('db:5432/x') as string,
    });
  });

  it.each(['mysql://u:s3cret@x', 'nothing', ''])('refuses the URL %j without repeating it', (bad) => {
    expect(() => postgresOnlineProvider({ url: bad, schema: 's' })).toThrow(
      expect.objectContaining({
        code: 'ConfigurationMissing',
        message: expect.not.stringContaining('s3cret') as string,
      }),
    );
  });
});
