import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { tableName } from '../../providers/online/postgres/names.js';
import { postgresError } from '../../providers/online/postgres/postgres-errors.js';
import { postgresOnlineProvider } from '../../providers/online/postgres/provider.js';
import { readValue, T0, userView, writeRows } from './online-rows.js';

const url = process.env['DATABASE_URL'];

describe.skipIf(url === undefined)(
  'online store postgres, in the layout of Feast (needs DATABASE_URL)',
  () => {
    const schema = `granary_layout_${randomBytes(6).toString('hex')}`;
    const provider = postgresOnlineProvider({ url: url ?? 'postgresql://localhost', schema });
    const pool = new pg.Pool({ connectionString: url, max: 2 });
    afterAll(async () => {
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
      await provider.close();
    });

    it('holds a row a feature in the columns of Feast, and the order in a table beside them', async () => {
      const view = userView({
        project: 'shop_dev',
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
      const key = '010000000200000007000000757365725f69640400000008000000e903000000000000';
      const times = `to_char(event_ts AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS event, created_ts`;
      const { rows: features } = await pool.query(
        `SELECT encode(entity_key, 'hex') AS key, feature_name, encode(value, 'hex') AS value, value_text, vector_value, ${times} FROM ${schema}.shop_dev_user_features ORDER BY feature_name`,
      );
      const event = '2026-01-01 00:00:00.000001';
      const shared = { key, vector_value: null, event, created_ts: null };
      expect(features).toEqual([
        { ...shared, feature_name: 'f', value: '2011', value_text: '17' },
        { ...shared, feature_name: 'g', value: '', value_text: null },
      ]);
      const { rows: orders } = await pool.query(
        `SELECT encode(entity_key, 'hex') AS key, promotion::int, ${times}, generation::int, removed FROM ${schema}."__granary:shop_dev_user_features"`,
      );
      expect(orders).toEqual([{ key, promotion: 2, event, created_ts: null, generation: 3, removed: false }]);
    });

    it('fills the column of numbers where Feast has added it', async () => {
      const view = userView({
        features: [
          { name: 'f', type: 'float64' },
          { name: 'g', type: 'bool' },
          { name: 'h', type: 'string' },
        ],
      });
      await provider.prepare(view);
      await pool.query(
        `ALTER TABLE ${schema}."${tableName(view)}" ADD COLUMN value_num double precision, ALTER COLUMN vector_value SET DEFAULT NULL`,
      );
      const batch = {
        rows: 1,
        keys: [[1n]],
        values: [[-0.5], [true], ['7']],
        eventTimes: [T0],
        createdTimes: [null],
        generations: [1],
      };
      await provider.write(view, 1, batch);
      await provider.write(view, 1, { ...batch, values: [[Infinity], [false], ['8']], generations: [2] });
      const { rows } = await pool.query(
        `SELECT value_text, value_num FROM ${schema}."${tableName(view)}" ORDER BY feature_name`,
      );
      expect(rows).toEqual([
        { value_text: 'inf', value_num: Infinity },
        { value_text: 'False', value_num: 0 },
        { value_text: '8', value_num: null },
      ]);
    });

    it('refuses a name that Postgres would cut off, and removes such a view without a word', async () => {
      const view = userView({ name: 'v'.repeat(49) });
      const refused = {
        code: 'InvalidDefinition',
        message: expect.stringMatching(/v{49} .* 64 bytes .* 1 bytes shorter/) as string,
      };
      await expect(provider.prepare(view)).rejects.toMatchObject(refused);
      await expect(writeRows(provider, view, 1, [{ event: 0, value: 1n }])).rejects.toMatchObject(refused);
      await provider.remove(view, () => Promise.resolve(true));
      await provider.prepare({ ...view, name: 'v'.repeat(48) });
    });

    it('refuses a second view whose table would have the same name, and leaves the first one alone', async () => {
      const first = userView({ project: 'a_b', name: 'c' });
      const second = { ...first, project: 'a', name: 'b_c' };
      await provider.prepare(first);
      await writeRows(provider, first, 1, [{ event: 0, value: 1n }]);
      await expect(provider.prepare(second)).rejects.toMatchObject({
        code: 'InvalidDefinition',
        message: expect.stringMatching(/view b_c of a and the view c of a_b/) as string,
      });
      await provider.remove(second, () => Promise.resolve(true));
      expect((await provider.read(first, [[1n]], ['f']))[0]?.values).toEqual([1n]);
    });

    it('refuses a table of another shape under the name, and says what to do', async () => {
      const view = userView();
      await pool.query(`CREATE TABLE ${schema}."${tableName(view)}" (entity_key bytea, other int)`);
      await expect(provider.prepare(view)).rejects.toMatchObject({
        code: 'SchemaMismatch',
        message: expect.stringMatching(/lacks feature_name, value, .*rename or drop/) as string,
      });
      await provider.remove(view, () => Promise.resolve(true));
      const { rows } = await pool.query(
        `SELECT to_regclass('${schema}."${tableName(view)}"')::text AS there`,
      );
      expect(rows).not.toEqual([{ there: null }]);
    });

    it('takes the table of the layout before away and has all loaded again', async () => {
      const view = userView();
      const { id, server } = await provider.state(view.project);
      const former = `${schema}."${view.project}__${view.name}"`;
      await pool.query(
        `CREATE TABLE ${former} (entity_key bytea PRIMARY KEY, event_timestamp timestamptz, created_timestamp timestamptz, promotion int8, generation int8, f bytea)`,
      );
      expect(await provider.acknowledge(view.project, view.name, { id, server }, 7)).toBe(true);
      await provider.prepare(view);
      const renewed = await provider.state(view.project);
      expect(renewed.id).not.toBe(id);
      expect((await pool.query(`SELECT to_regclass('${former}') AS there`)).rows).toEqual([{ there: null }]);
      await provider.prepare(view);
      expect(await provider.state(view.project)).toEqual(renewed);
    });

    it('has all loaded again when a table that a receipt vouches for had to be made', async () => {
      const view = userView();
      const { project, name } = view;
      await provider.prepare(view);
      const state = await provider.state(project);
      await provider.acknowledge(project, name, state, 1);
      await pool.query(`DROP TABLE ${schema}."${tableName(view)}"`);
      await provider.prepare(view);
      expect((await provider.state(project)).id).not.toBe(state.id);
      expect(await writeRows(provider, view, 1, [{ event: 0, value: 1n }])).toBe('1w 0o 0u');
    });

    describe('tombstones', () => {
      const filled = async () => {
        const view = userView();
        await provider.prepare(view);
        await writeRows(provider, view, 1, [
          { id: 1n, event: 5, value: 1n },
          { id: 2n, event: 5, value: 2n },
        ]);
        await writeRows(provider, view, 2, [{ id: 2n, event: 0, value: 3n }]);
        await provider.fence(view, 2);
        return view;
      };

      it('keep rows at or below them out, and make room for newer ones', async () => {
        const view = await filled();
        expect(await provider.removeBelow(view, 2, { eventTime: T0 + 9n })).toBe(1);
        expect(await provider.removeBelow(view, 2, { eventTime: T0 + 9n })).toBe(0);
        expect((await provider.read(view, [[1n], [2n]], ['f'])).map((row) => row?.values)).toEqual([
          undefined,
          [3n],
        ]);
        expect(await writeRows(provider, view, 2, [{ event: 9, generation: 0, value: 8n }])).toBe('0w 1o 0u');
        expect(await writeRows(provider, view, 2, [{ event: 8, generation: 7, value: 8n }])).toBe('0w 1o 0u');
        expect(await readValue(provider, view)).toBeUndefined();
        expect(await writeRows(provider, view, 2, [{ event: 9, value: 9n }])).toBe('1w 0o 0u');
        expect(await readValue(provider, view)).toBe(9n);
        expect(await provider.collectTombstones(view, T0 + 100n)).toBe(0);
      });

      it('stand beneath those of a later removal, and yield to a promotion', async () => {
        const view = await filled();
        await provider.removeBelow(view, 2, { eventTime: T0 + 9n });
        await provider.fence(view, 4);
        expect(await provider.removeBelow(view, 3, { eventTime: T0 + 20n })).toBe(1);
        expect(await writeRows(provider, view, 4, [{ event: 1, value: 4n }])).toBe('1w 0o 0u');
        expect(await readValue(provider, view)).toBe(4n);
      });

      it('are collected once they are before a time, and then hold nothing off', async () => {
        const view = await filled();
        expect(await provider.collectTombstones(userView(), T0)).toBe(0);
        await provider.removeBelow(view, 2, { eventTime: T0 + 9n });
        expect(await provider.collectTombstones(view, T0 + 9n)).toBe(0);
        expect(await provider.collectTombstones(view, T0 + 10n)).toBe(1);
        expect(await provider.collectTombstones(view, T0 + 10n)).toBe(0);
        expect(await writeRows(provider, view, 2, [{ event: 1, value: 1n }])).toBe('1w 0o 0u');
      });
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
      await pool.query(`DROP TABLE ${schema}."${tableName(view)}"`);
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
        if (result.status === 'rejected')
          expect(result.reason).toMatchObject({ code: 'ProviderUnreachable' });
      expect(await writeRows(provider, view, 1, [{ event: 9, value: 1n }])).toBe('1w 0o 0u');
    });
  },
);

describe('online store postgres', () => {
  it('names tables as Feast does', () => {
    expect(tableName(userView({ project: 'shop_dev', name: 'User-features' }))).toBe(
      'shop_dev_User-features',
    );
    expect(() => tableName(userView({ project: 'ż'.repeat(20), name: 'v'.repeat(23) }))).toThrow(
      expect.objectContaining({ code: 'InvalidDefinition' }),
    );
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

  it.skipIf(url === undefined)(
    'gives a server up within eight seconds for who serves features: silent from the start, or in the middle',
    async () => {
      const sockets: Socket[] = [];
      const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const address = silent.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const away = postgresOnlineProvider({ url: `postgresql://u@127.0.0.1:${port}/db`, schema: 's' });
      const schema = `s${randomBytes(4).toString('hex')}`;
      const held = postgresOnlineProvider({ url: url ?? '', schema });
      const view = userView();
      await held.prepare(view);
      const locker = new pg.Client({ connectionString: url });
      await locker.connect();
      try {
        await locker.query('BEGIN');
        const { rows } = await locker.query<{ name: string }>(
          `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = $1`,
          [schema],
        );
        await locker.query(`LOCK TABLE ${rows.map(({ name }) => name).join(', ')} IN ACCESS EXCLUSIVE MODE`);
        const began = performance.now();
        const reads = [away, held].map((one) => one.readStored([{ view, keys: [[1n]], features: ['f'] }]));
        for (const read of await Promise.allSettled(reads))
          expect(read).toMatchObject({ status: 'rejected', reason: { code: 'ProviderUnreachable' } });
        expect(performance.now() - began).toBeLessThan(8000);
        await locker.query('ROLLBACK');
        expect(await held.readStored([{ view, keys: [[1n]], features: ['f'] }])).toHaveLength(1);
      } finally {
        await locker.query('ROLLBACK');
        await locker.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        await locker.end();
        await Promise.all([away.close(), held.close()]);
        for (const socket of sockets) socket.destroy();
        silent.close();
      }
    },
  );
});
