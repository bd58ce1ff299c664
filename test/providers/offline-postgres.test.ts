import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_TIME, interval } from '../../definitions/interval.js';
import type { Schema } from '../../definitions/types.js';
import type { StagedTable, TableOutput, TableRelation } from '../../providers/offline/table-provider.js';
import { Connection } from '../../providers/offline/postgres/connection.js';
import { relationSql } from '../../providers/offline/postgres/relation-sql.js';
import { postgresOfflineProvider } from '../../providers/offline/postgres/provider.js';
import { failure, rejects } from '../support/offline-fixtures.js';
import { allRows } from '../support/offline-join.js';
import { createWarehouse, type Warehouse } from '../support/warehouse.js';

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await createWarehouse();
});
afterAll(() => warehouse.remove());

const { signal } = new AbortController();
let tokens = 0;
const output = (schema: Schema, over: Partial<TableOutput> = {}): TableOutput => ({
  name: 'transformation x',
  schema,
  keys: [],
  stage: { run: 'r', target: 'source/x', token: tokens++ },
  interval: ALL_TIME,
  ...over,
});
const query = async (
  sql: string,
  out: TableOutput,
  inputs: Record<string, TableRelation> = {},
): Promise<StagedTable> => {
  await using session = await warehouse.provider.open({ signal });
  return await session.query({ sql, inputs, output: out });
};
/** What a SELECT gives, read as a relation of a view. */
const read = async (select: string, schema: Schema, limit?: number): Promise<unknown[][]> => {
  const view = `v${tokens++}`;
  await warehouse.pg.query(`CREATE VIEW ${warehouse.schema}.${view} AS ${select}`);
  await using session = await warehouse.provider.open({ signal });
  return await allRows(
    session.read(
      { name: 'source x', table: { schema: warehouse.schema, table: view }, schema },
      limit === undefined ? {} : { limit },
    ),
  );
};
const rowsOf = async (table: string): Promise<unknown[]> =>
  (await warehouse.pg.query(`SELECT n FROM ${warehouse.schema}_offline.${table} ORDER BY n`)).rows.map(
    (row: { n: unknown }) => row.n,
  );

describe('extraction by binary COPY', () => {
  it.each<[string, string, Schema[string], unknown]>([
    ['a truth value', 'true', 'bool', true],
    ['a smallint', '(-7)::smallint', 'int32', -7],
    ['the least int', '(-2147483648)::int', 'int32', -2147483648],
    ['a bigint beyond 2^53', '9007199254740993::bigint', 'int64', 9007199254740993n],
    ['the least bigint', '(-9223372036854775808)::bigint', 'int64', -(2n ** 63n)],
    ['an int as int64', '7::int', 'int64', 7n],
    ['a real', '0.1::real', 'float32', Math.fround(0.1)],
    ['a real as float64, digit for digit', '0.1::real', 'float64', Math.fround(0.1)],
    ['a numeric as float64', '12345.678::numeric(12, 3)', 'float64', 12345.678],
    ['NaN', "'NaN'::float8", 'float64', NaN],
    ['minus infinity', "'-Infinity'::float8", 'float64', -Infinity],
    ['text of four bytes a letter', "'😀é'::text", 'string', '😀é'],
    ['an empty text', "''::varchar(9)", 'string', ''],
    [
      'a uuid',
      "'00000000-0000-0000-0000-000000000001'::uuid",
      'string',
      '00000000-0000-0000-0000-000000000001',
    ],
    ['bytes', "'\\x00ff'::bytea", 'bytes', new Uint8Array([0, 255])],
    ['microseconds', "timestamptz '2026-01-01 00:00:00.000001+00'", 'timestamp', 1767225600000001n],
    ['an instant before 1970', "timestamptz '1969-12-31 23:59:59.999999+00'", 'timestamp', -1n],
    ['a timestamp without a zone is UTC', "timestamp '1970-01-01 00:00:01'", 'timestamp', 1000000n],
    ['a date', "date '1970-01-02'", 'timestamp', 86400000000n],
    ['a list with a NULL', 'ARRAY[1, NULL, 3]::bigint[]', 'list<int64>', [1n, null, 3n]],
    ['an empty list', "'{}'::text[]", 'list<string>', []],
    ['a list of dates', "ARRAY[date '1970-01-02']", 'list<timestamp>', [86400000000n]],
    ['NULL', 'NULL::int', 'int32', null],
  ])('%s', async (_, value, type, expected) => {
    expect(await read(`SELECT ${value} AS x`, { x: type })).toEqual([[expected]]);
  });

  it('rows of every length, over many messages, in their order, and no more than were asked for', async () => {
    const select = `SELECT g::bigint AS n, repeat('é', g % 700) AS s, CASE WHEN g % 3 = 0 THEN NULL ELSE g END AS m FROM generate_series(1, 20000) g`;
    const rows = await read(select, { n: 'int64', s: 'string', m: 'int32' });
    expect(rows).toHaveLength(20000);
    rows.forEach(([n, s, m], i) => {
      const g = i + 1;
      if (n !== BigInt(g) || s !== 'é'.repeat(g % 700) || m !== (g % 3 === 0 ? null : g))
        throw new Error(`row ${g} differs`);
    });
    expect(await read(select, { n: 'int64' }, 5)).toEqual([[1n], [2n], [3n], [4n], [5n]]);
  });

  it('a reader that stops early leaves no connection behind', async () => {
    await using session = await warehouse.provider.open({ signal });
    const relation = await warehouse.place('source many', { n: 'int32' }, [{ n: 1 }]);
    await warehouse.pg.query(
      `INSERT INTO ${warehouse.schema}.${relation.table.table} SELECT generate_series(1, 500000)`,
    );
    for await (const batch of session.read(relation)) {
      expect(batch.rows).toBeGreaterThan(0);
      break;
    }
    await expect
      .poll(
        async () =>
          (
            await warehouse.pg.query(
              `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND query LIKE '%${relation.table.table}%' AND state = 'active'`,
            )
          ).rowCount,
        { timeout: 10_000 },
      )
      .toBe(0);
  });

  it.each([
    ["'infinity'::timestamptz", 'timestamp', 'ValueOutOfRange', 'source x', '"x" is infinity'],
    ["'-infinity'::timestamp", 'timestamp', 'ValueOutOfRange', 'source x', '"x" is -infinity'],
    ['1::bigint', 'int32', 'SchemaMismatch', 'declared int32', 'bigint', 't.int64'],
    ["'1 day'::interval", 'string', 'SchemaMismatch', 'interval', 'No declared type'],
    ['ARRAY[[1, 2], [3, 4]]', 'list<int32>', 'ValueOutOfRange', '2 dimensions'],
  ] as const)('refuses %s as %s', async (value, type, code, ...says) => {
    await rejects(read(`SELECT ${value} AS x`, { x: type }), failure(code, ...says));
  });

  it('names a table that is not there, and a column that is not', async () => {
    await using session = await warehouse.provider.open({ signal });
    const table = { schema: warehouse.schema, table: 'nope' };
    await rejects(
      session.inspect({ name: 'source x', table, schema: { x: 'int32' } }),
      failure('SourceMissing', 'source x', `${warehouse.schema}.nope`, 'dbSchema'),
    );
    const placed = await warehouse.place('source y', { Amount: 'int32' }, []);
    await rejects(
      session.inspect({ ...placed, schema: { amount: 'int32' } }),
      failure('SchemaMismatch', 'source y', 'Did you mean "Amount"?'),
    );
  });
});

describe('SQL in Postgres', () => {
  it('keeps zeros of a list without a sign, too, in their places', async () => {
    const lists: readonly (readonly [sql: string, text: string | null])[] = [
      ["ARRAY[1.5, '-0', NULL, 0, '-0', 'NaN', '-Infinity']", '{1.5,0,NULL,0,0,NaN,-Infinity}'],
      ["ARRAY['-1.5', NULL]", '{-1.5,NULL}'],
      ["'{}'", '{}'],
      ['NULL', null],
    ];
    const row = (type: string): string =>
      lists.map(([sql], i) => `${sql}::${type}[] AS ${type[0] ?? ''}${i}`).join(', ');
    const done = await query(
      `SELECT ${row('double precision')}, ${row('real')}`,
      output(
        Object.fromEntries(
          ['d', 'r'].flatMap((name) =>
            lists.map((_, i) => [`${name}${i}`, name === 'd' ? 'list<float64>' : 'list<float32>']),
          ),
        ),
      ),
    );
    const { rows } = await warehouse.pg.query(
      `SELECT ${['d', 'r'].flatMap((name) => lists.map((_, i) => `${name}${i}::text`)).join(', ')} FROM ${warehouse.schema}_offline.${done.table}`,
    );
    expect(Object.values((rows as object[])[0] ?? {})).toEqual([...lists, ...lists].map(([, text]) => text));
  });

  it('keeps rows in the declared types: sums that fit, zeros without a sign, its interval beside them', async () => {
    const input = await warehouse.place('source n', { n: 'int64' }, [{ n: 1n }, { n: 2n }]);
    const done = await query(
      `WITH own AS (SELECT n FROM "n.v1") SELECT sum(n) AS total, avg(n) AS mean, '-0'::float8 AS zero, 1e-50::float8 AS tiny FROM own -- a comment`,
      output({ total: 'int64', mean: 'float64', zero: 'float64', tiny: 'float32' }),
      { 'n.v1': input },
    );
    const { rows } = await warehouse.pg.query(
      `SELECT pg_typeof(total)::text AS type, total::text, mean, zero::text, tiny::text, __interval_end::text FROM ${warehouse.schema}_offline.${done.table}`,
    );
    expect(rows).toEqual([
      {
        type: 'bigint',
        total: '3',
        mean: 1.5,
        zero: '0',
        tiny: '0',
        __interval_end: '9999-12-31 00:00:00+00',
      },
    ]);
  });

  it.each<[sql: string, schema: Schema, over: Partial<TableOutput>, code: string, ...says: string[]]>([
    ['SELECT 1.5::numeric AS x', { x: 'int64' }, {}, 'ValueOutOfRange', '"x" is int64', '1.5'],
    ['SELECT 3000000000 AS x', { x: 'int32' }, {}, 'ValueOutOfRange', '3000000000', 't.int64'],
    ['SELECT 1e39::float8 AS x', { x: 'float32' }, {}, 'ValueOutOfRange', '1e+39', 't.float64'],
    [`SELECT 'a'::text AS x`, { x: 'int32' }, {}, 'SchemaMismatch', 'declared int32', 'text'],
    ['SELECT 1 AS y', { x: 'int32' }, {}, 'SchemaMismatch', 'missing "x"', 'not declared "y"'],
    ['SELECT 1 AS x, 2 AS x', { x: 'int32' }, {}, 'SchemaMismatch', 'two columns "x"'],
    ['SELECT NULL::int AS x', { x: 'int32' }, { keys: ['x'] }, 'NullKey', '"x" is NULL in 1 row'],
    [
      `SELECT 'infinity'::timestamptz AS x`,
      { x: 'timestamp' },
      { timestampField: 'x' },
      'ValueOutOfRange',
      'infinity',
    ],
    [
      'SELECT NULL::timestamptz AS x',
      { x: 'timestamp' },
      { timestampField: 'x' },
      'MissingTimestamp',
      '"x" is NULL',
    ],
    ['SELECT nope AS x', { x: 'int32' }, {}, 'QueryFailed', 'transformation x', 'nope'],
    ['SELECT 1 AS x; DROP TABLE y', { x: 'int32' }, {}, 'QueryFailed', 'transformation x'],
  ])('refuses %s', async (sql, schema, over, code, ...says) => {
    await rejects(query(sql, output(schema, over)), failure(code, ...says));
  });

  it('is cancelled within a second, and says why', async () => {
    const abort = new AbortController();
    await using session = await warehouse.provider.open({ signal: abort.signal });
    const running = session.query({
      sql: 'SELECT pg_sleep(60)::text AS x',
      inputs: {},
      output: output({ x: 'string' }),
    });
    running.catch(() => undefined);
    await expect
      .poll(
        async () =>
          (
            await warehouse.pg.query(
              `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()`,
            )
          ).rowCount,
        { timeout: 10_000 },
      )
      .toBe(1);
    const began = performance.now();
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('a server that is not there, a wrong database: in words, without the password', async () => {
    const at = (url: string) => postgresOfflineProvider({ url: () => url, schema: 'x' });
    await rejects(at('postgres://u:hush@127.0.0.1:1/x').check(), (error) => {
      failure('ProviderUnreachable', 'postgres://127.0.0.1:1/x')(error);
      expect(String(error)).not.toContain('hush');
    });
    const absent = new URL(warehouse.url);
    absent.pathname = '/absent';
    await rejects(at(absent.toString()).check(), failure('ConfigurationMissing', 'does not exist'));
  });
});

describe('publication in Postgres', () => {
  const numbers = async (n: number, over: Partial<TableOutput> = {}): Promise<string> =>
    (await query(`SELECT generate_series(1, ${n}) AS n`, output({ n: 'int32' }, over))).table;
  const DAY1 = interval('2026-01-01', '2026-01-02');
  const DAY2 = interval('2026-01-02', '2026-01-03');
  const version = (table: string, staged: string, generation: number, at = ALL_TIME) => ({
    dataset: `${table}-${at.start}-${generation}`,
    interval: at,
    generation,
    target: `source/${table}`,
    staged,
  });
  /** Each resource in the table of its name, but for those that `elsewhere` names. */
  const places = (elsewhere: Readonly<Record<string, string>> = {}) => {
    const names = ['whole', 'daily', 'held', 'never', 'one', 'two', 'gone', 'kept'];
    return () => Promise.resolve(new Map(names.map((name) => [`source/${name}`, elsewhere[name] ?? name])));
  };

  it('replaces a table as a whole, once, and never by an older generation', async () => {
    const { provider } = warehouse;
    const first = version('whole', await numbers(1), 1);
    const second = version('whole', await numbers(2), 2);
    expect(await provider.publish(second, places())).toBe('published');
    expect(await provider.publish(second, places())).toBe('published');
    expect(await provider.publish(first, places())).toBe('superseded');
    expect(await rowsOf('whole')).toEqual([1, 2]);
    expect(await provider.publish(version('whole', await numbers(3), 3), places())).toBe('published');
    expect(await rowsOf('whole')).toEqual([1, 2, 3]);
  });

  it('replaces the rows of one interval, and leaves the others', async () => {
    const { provider } = warehouse;
    await provider.publish(version('daily', await numbers(1, { interval: DAY1 }), 1, DAY1), places());
    await provider.publish(version('daily', await numbers(3, { interval: DAY2 }), 1, DAY2), places());
    await provider.publish(version('daily', await numbers(2, { interval: DAY2 }), 2, DAY2), places());
    expect(await rowsOf('daily')).toEqual([1, 1, 2]);
    await using session = await provider.open({ signal });
    const relation = {
      name: 'source daily',
      table: { schema: provider.schema, table: 'daily' },
      schema: { n: 'int32' },
    } as const;
    const of = (generation: number): TableRelation => ({
      ...relation,
      versions: [{ interval: DAY2, dataset: version('daily', '', generation, DAY2).dataset }],
    });
    expect(await allRows(session.read(of(2)))).toEqual([[1], [2]]);
    await rejects(allRows(session.read(of(1))), failure('SourceInvalid', 'made anew', 'Run again'));
  });

  it('waits for no reader and breaks no view that somebody built on a table', async () => {
    const { provider, schema } = warehouse;
    await provider.publish(version('held', await numbers(1), 1), places());
    await warehouse.pg.query(`CREATE VIEW ${schema}.over_held AS SELECT n FROM ${provider.schema}.held`);
    const reader = new pg.Client({ connectionString: warehouse.url });
    await reader.connect();
    try {
      await reader.query(`BEGIN; SELECT * FROM ${provider.schema}.held`);
      await provider.publish(version('held', await numbers(2), 2), places());
      expect(await rowsOf('held')).toEqual([1, 2]);
      const { rows } = await warehouse.pg.query(`SELECT n FROM ${schema}.over_held ORDER BY n`);
      expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
    } finally {
      await reader.end();
      await warehouse.pg.query(`DROP VIEW ${schema}.over_held`);
    }
  });

  it('drops what a run staged', async () => {
    const { provider } = warehouse;
    const table = await numbers(1, { stage: { run: 'gone', target: 'source/x', token: 1 } });
    expect(await provider.stagedRuns()).toContain('gone');
    await provider.dropStaged('gone');
    expect(await provider.stagedRuns()).not.toContain('gone');
    await rejects(
      provider.publish(version('never', table, 1), places()),
      failure('SourceMissing', 'staged rows of never are gone'),
    );
  });

  it('tables change names at once, also back; readers find a version wherever it lies, and in no wrong table', async () => {
    const { provider } = warehouse;
    const [one, two] = [version('one', await numbers(1), 1), version('two', await numbers(2), 1)];
    await provider.publish(one, places());
    await provider.publish(two, places());
    const promoted = places({ one: 'one_v1', two: 'one' });
    const read = async ({ dataset }: { dataset: string }): Promise<unknown> => {
      await using session = await provider.open({ signal });
      return await allRows(session.read(relation(dataset)));
    };
    const relation = (dataset: string): TableRelation => ({
      name: 'source one',
      table: { schema: provider.schema, table: 'one' },
      schema: { n: 'int32' },
      versions: [{ interval: ALL_TIME, dataset }],
    });
    // Cut off within: nothing is changed.
    let asked = 0;
    const cut = async () => (++asked === 2 ? Promise.reject(new Error('cut off')) : await promoted());
    await expect(provider.arrange(cut)).rejects.toThrow('cut off');
    expect([await rowsOf('one'), await rowsOf('two')]).toEqual([[1], [1, 2]]);

    // A snapshot from before, a name from after: refused, for another try.
    const server = { url: warehouse.url, name: 'here' };
    const earlier = await Connection.open(server, signal, 'test');
    try {
      await earlier.run('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await earlier.row('SELECT 1');
      const reader = new pg.Client({ connectionString: warehouse.url });
      await reader.connect();
      await reader.query(`BEGIN; SELECT * FROM ${provider.schema}.one`);
      const renamed = provider.arrange(promoted);
      await expect(
        Promise.race([renamed, reader.query('SELECT pg_sleep(1)').then(() => 'held')]),
      ).resolves.toBe('held');
      await reader.end();
      await renamed;
      await rejects(
        relationSql(earlier, relation(one.dataset)),
        failure('ProviderUnreachable', 'Read it again'),
      );
    } finally {
      await earlier.close();
    }
    await provider.arrange(promoted);
    expect([await rowsOf('one_v1'), await rowsOf('one')]).toEqual([[1], [1, 2]]);
    expect([await read(one), await read(two)]).toEqual([[[1]], [[1], [2]]]);
    expect(await provider.describe(two.dataset)).toEqual({ table: 'one', schema: { n: 'int32' } });

    // A version that was committed before finds the name of now, and repairs what was cut off.
    const later = version('one', await numbers(3), 2);
    expect(await provider.publish(later, places())).toBe('published');
    expect([await rowsOf('one'), await rowsOf('two')]).toEqual([
      [1, 2, 3],
      [1, 2],
    ]);
    // Deleted meanwhile.
    await rejects(
      provider.publish(version('unknown', await numbers(1), 1), places()),
      failure('StaleToken', 'source/unknown was deleted'),
    );
    // A name that only a resource has of which nobody knows.
    await rejects(
      provider.arrange(() => Promise.resolve(new Map([['source/two', 'one']]))),
      failure('ConfigurationMissing', 'source/one', 'Drop that table'),
    );
  });

  it('drops what a resource has, if it is wanted, once, and nothing that others have', async () => {
    const { provider, pg: sql } = warehouse;
    await provider.publish(version('gone', await numbers(1), 1), places());
    await provider.publish(version('kept', await numbers(1), 1), places());
    const stage = { run: 'r', target: 'source/gone', token: 7 };
    const staged = await numbers(1, { stage });
    await rejects(
      provider.drop('source/gone', () => Promise.resolve(false)),
      failure('StaleToken', 'nothing was done'),
    );
    await sql.query(`CREATE VIEW ${provider.schema}.over_gone AS SELECT n FROM ${provider.schema}.gone`);
    const wanted = () => Promise.resolve(true);
    await rejects(
      provider.drop('source/gone', wanted),
      failure('RemovalRefused', `${provider.schema}.gone`, 'delete again'),
    );
    expect(await rowsOf('gone')).toEqual([1]);
    await sql.query(`DROP VIEW ${provider.schema}.over_gone`);
    await provider.drop('source/gone', wanted);
    await provider.drop('source/gone', wanted);
    const { rows } = await sql.query<{ tablename: string }>(
      `SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename IN ('gone', 'kept', $2)`,
      [provider.schema, staged],
    );
    expect(rows).toEqual([{ tablename: 'kept' }]);
    const noted = await sql.query(
      `SELECT target FROM ${provider.schema}.__granary_versions WHERE target IN ('source/gone', 'source/kept')`,
    );
    expect(noted.rows).toEqual([{ target: 'source/kept' }]);
  });
});
