import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { tableFromIPC, tableToIPC } from 'apache-arrow';
import { Timestamp, type ValueType } from 'granary';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GranaryClient, type Example, type StoredRows } from '../../client/index.js';
import { arrowTable } from '../../client/arrow.js';
import { readFiles, type DatasetRows } from '../../client/dataset-rows.js';
import type { RowParts } from '../../client/row-parts.js';
import { storedRows } from '../../client/stored-rows.js';
import { bank } from '../fixtures/bank.js';
import { shop, type Shop } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { shopCommand } from '../support/granary-command.js';
import { createWorld, type World } from '../support/world.js';

vi.setConfig({ testTimeout: 240_000 });

let world: World;
let made: Shop;
let name: string;
let folder: string;
let client: GranaryClient;
beforeAll(async () => {
  world = await createWorld();
  name = `r${randomBytes(5).toString('hex')}`;
  folder = join(world.folder, name);
  made = await shop(name, folder);
  await world.withWorker(made.project, async (running) => {
    for (const date of ['2026-01-01', '2026-01-02'])
      await (await running.run('shop_daily', { date })).result();
  });
  client = await GranaryClient.connect({ project: made.project });
});
afterAll(async () => {
  await client.close();
  await world[Symbol.asyncDispose]();
});

describe('a training set is read', () => {
  it('as examples of features and label, which print like a quickstart', async () => {
    const examples: Example<Readonly<Record<string, unknown>>>[] = [];
    const printed: string[] = [];
    for await (const row of client.trainingSet('large_purchases', { date: '2026-01-02' })) {
      examples.push(row);
      printed.push(inspect(row));
      expect(String(row)).toBe(inspect(row));
    }
    expect(printed).toEqual(['Features: [10, 1] , Label: [true]', 'Features: [null, null] , Label: [false]']);
    expect(examples.map(({ features, label }) => [[...features], features.named, label])).toEqual([
      [[10, 1n], { total: 10, n: 1n }, true],
      [[null, null], { total: null, n: null }, false],
    ]);
  });

  it('whole, the versions of all its intervals in order, where none is chosen', async () => {
    const set = await client.trainingSet('large_purchases');
    expect(set.datasets.map(({ interval }) => interval.start)).toEqual([
      '2026-01-01T00:00:00Z',
      '2026-01-02T00:00:00Z',
    ]);
    const limited = async (limit: number): Promise<unknown[]> => {
      const rows: unknown[] = [];
      for await (const { user_id } of set.rows({ limit })) rows.push(user_id);
      return rows;
    };
    expect(await limited(10)).toEqual([1n, 9007199254740993n, 1n, 2n]);
    expect(await limited(3)).toEqual([1n, 9007199254740993n, 1n]);
    expect(await limited(2)).toEqual([1n, 9007199254740993n]);
  });

  it('as an awaited version, with whole rows, its columns and its address', async () => {
    const set = await client.trainingSet('large_purchases', { date: '2026-01-02' });
    const rows: unknown[] = [];
    for await (const row of set.rows()) rows.push(row);
    expect(rows[0]).toEqual({
      ...{ user_id: 1n, sold_at: Timestamp.from('2026-01-02T10:00:00.000001Z') },
      ...{ total: 10, n: 1n, large: true },
    });
    expect(set.uris[0]).toMatch(/^file:.*\/training_sets\/large_purchases\/v_\w+\/features\.parquet$/);
    expect(await client.trainingSet('large_purchases').columns()).toEqual({
      ...{ user_id: 'int64', sold_at: 'timestamp', total: 'float32', n: 'int64', large: 'bool' },
    });
  });

  it('as batches of columns by name, and as an Arrow table that other libraries read', async () => {
    const batches: unknown[] = [];
    for await (const batch of client.trainingSet('large_purchases', { date: '2026-01-02' }).batches())
      batches.push(batch);
    expect(batches).toEqual([
      {
        rows: 2,
        columns: {
          user_id: [1n, 2n],
          sold_at: [Timestamp.from('2026-01-02T10:00:00.000001Z'), Timestamp.from('2026-01-02T12:00:00Z')],
          total: [10, null],
          n: [1n, null],
          large: [true, false],
        },
      },
    ]);
    const table = tableFromIPC(
      tableToIPC(await client.trainingSet('large_purchases', { date: '2026-01-02' }).table()),
    );
    expect(table.schema.fields.map((field) => `${field.name}: ${String(field.type)}`)).toEqual([
      'user_id: Int64',
      'sold_at: Timestamp<MICROSECOND, UTC>',
      'total: Float32',
      'n: Int64',
      'large: Bool',
    ]);
    expect(table.getChild('n')?.toJSON()).toEqual([1n, null]);
    expect(table.getChild('sold_at')?.data[0]?.values).toEqual(
      new BigInt64Array([1767348000000001n, 1767355200000000n]),
    );
  });

  it('by the name of a version; one that is not there is told with the command that lists them', async () => {
    const [, first] = await client.resources.versions('large_purchases');
    const set = await client.trainingSet('large_purchases', { version: first?.version ?? '' });
    expect(set.datasets.map(({ interval }) => interval.start)).toEqual(['2026-01-01T00:00:00Z']);
    await expect(client.trainingSet('large_purchases', { version: 'v_nope' }).open()).rejects.toMatchObject({
      code: 'SourceMissing',
      message: expect.stringContaining('granary versions trainingSet/large_purchases') as string,
    });
    await expect(client.trainingSet('large_purchase').columns()).rejects.toMatchObject({
      code: 'UnknownResource',
      message: expect.stringContaining('"large_purchases"') as string,
    });
  });
});

describe('a feature set is read', () => {
  it('by version, as rows that keep every digit', async () => {
    const [newest, first] = await client.resources.versions('source/totals');
    const read = async (version: string | undefined): Promise<unknown[]> => {
      const rows: unknown[] = [];
      for await (const row of client.featureSet('totals', version === undefined ? {} : { version }))
        rows.push(row);
      return rows;
    };
    expect(await read(undefined)).toEqual(await read(newest?.version));
    expect(await read(first?.version)).toEqual([
      { user_id: 1n, event_timestamp: Timestamp.from('2026-01-02'), total: 10, n: 1n },
      { user_id: 9007199254740993n, event_timestamp: Timestamp.from('2026-01-02'), total: 1, n: 1n },
    ]);
  });
});

describe('a version is exported', () => {
  const second = () => client.trainingSet('large_purchases', { date: '2026-01-02' });
  const stored = async (file: string): Promise<Buffer> => {
    const [uri = ''] = (await second()).uris;
    return await readFile(fileURLToPath(uri.replace('features.parquet', file)));
  };
  const out = (file: string): string => join(folder, file);

  it('to Parquet and CSV as the very bytes that are stored; a file that was there is replaced', async () => {
    const set = second();
    await writeFile(out('set.parquet'), 'old');
    await set.toParquet(out('set.parquet'));
    await set.toCsv(out('set.csv'));
    expect(await readFile(out('set.parquet'))).toEqual(await stored('features.parquet'));
    expect(await readFile(out('set.csv'))).toEqual(await stored('features.csv'));
  });

  it('to an Arrow stream, of the record batches that can be read one by one', async () => {
    const set = second();
    await set.toArrow(out('set.arrow'));
    const table = tableFromIPC(await readFile(out('set.arrow')));
    const values = (of: { getChild(name: string): { toJSON(): unknown[] } | null }): unknown[] =>
      ['user_id', 'total', 'n', 'large'].map((column) => of.getChild(column)?.toJSON());
    const expected = [
      [1n, 2n],
      [10, null],
      [1n, null],
      [true, false],
    ];
    expect(values(table)).toEqual(expected);
    const batches = [];
    for await (const batch of set.recordBatches()) batches.push(batch);
    expect(batches.map(({ numRows }) => numRows)).toEqual([2]);
    expect(batches.map(values)).toEqual([expected]);
  });

  it('not over bytes that somebody changed: what was exported before stays, and nothing half-written is left', async () => {
    const [uri = ''] = (await second()).uris;
    const file = fileURLToPath(uri);
    const bytes = await readFile(file);
    await second().toParquet(out('kept.parquet'));
    await chmod(file, 0o644);
    await writeFile(file, Buffer.concat([bytes, Buffer.from('x')]));
    try {
      await expect(second().toParquet(out('kept.parquet'))).rejects.toMatchObject({
        code: 'ChecksumMismatch',
      });
    } finally {
      await writeFile(file, bytes);
    }
    expect(await readFile(out('kept.parquet'))).toEqual(bytes);
    expect((await readdir(folder)).filter((entry) => entry.endsWith('.part'))).toEqual([]);
  });

  it('not to a folder that is not there, nor a part of a set that is not split', async () => {
    await expect(second().toCsv(join(folder, 'nowhere', 'set.csv'))).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringContaining('Give a path in a folder that is there') as string,
    });
    await expect(client.trainingSet('large_purchases', { split: 'train' }).columns()).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringMatching(/training set large_purchases is not split.*splitByTime/) as string,
    });
  });
});

describe('rows in several places', () => {
  /** Two files of rows, numbered, each third one of the test. */
  const parts = async (): Promise<RowParts> => {
    const schema = { split: 'string', n: 'int64', at: 'timestamp' } as const;
    const part = async (from: number, to: number): Promise<DatasetRows> => {
      const path = join(folder, `part-${from}.parquet`);
      await query(
        `COPY (SELECT CASE WHEN n % 3 = 0 THEN 'test' ELSE 'train' END AS split, n, make_timestamptz(n) AS at FROM range(${from}, ${to}) t(n)) TO '${path}' (FORMAT parquet)`,
      );
      const file = { path, uri: path, generation: 0 };
      const files = () =>
        Promise.resolve({ name: 'parts', format: 'parquet' as const, files: [file], schema });
      return {
        ...{ uri: path, schema, files, batches: (read, scratch) => readFiles(files, read, scratch) },
        whole: () => Promise.resolve({ path }),
      };
    };
    return { schema, parts: [await part(0, 5000), await part(5000, 5001), await part(5001, 9000)] };
  };
  const numbers = async (rows: StoredRows<Readonly<Record<string, unknown>>>, limit?: number) => {
    const found: number[] = [];
    for await (const row of rows.rows(limit === undefined ? {} : { limit })) found.push(Number(row['n']));
    return found;
  };
  const range = (to: number, keep: (n: number) => boolean = () => true): number[] =>
    Array.from({ length: to }, (_, n) => n).filter(keep);

  it('are read one after the other, the first so many, or those of one part of a split', async () => {
    const all = await parts();
    const rows = storedRows<Readonly<Record<string, unknown>>>(() => Promise.resolve(all));
    const test = storedRows<Readonly<Record<string, unknown>>>(() =>
      Promise.resolve({ ...all, split: 'test' }),
    );
    expect(await numbers(rows)).toEqual(range(9000));
    expect(await numbers(rows, 5002)).toEqual(range(5002));
    expect(await numbers(test)).toEqual(range(9000, (n) => n % 3 === 0));
    expect(await numbers(test, 1700)).toEqual(range(5100, (n) => n % 3 === 0));
    const sizes: number[] = [];
    for await (const { numRows } of test.recordBatches()) sizes.push(numRows);
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(3000);
  });

  it.each(['toParquet', 'toCsv', 'toArrow'] as const)('are exported as one file by %s', async (to) => {
    const path = join(folder, `parts.${to === 'toCsv' ? 'csv' : 'parquet'}`);
    const all = await parts();
    await storedRows(() => Promise.resolve({ ...all, split: 'train' }))[to](path);
    const found =
      to === 'toArrow'
        ? tableFromIPC(await readFile(path))
            .getChild('n')
            ?.toJSON()
        : (await query(`SELECT n FROM '${path}'`)).map((row) => row['n']);
    expect(found?.map(Number)).toEqual(range(9000, (n) => n % 3 !== 0));
  });
});

describe('features of the past come from versions', () => {
  const values = async (rows: AsyncIterable<Readonly<Record<string, unknown>>>, ...names: string[]) => {
    const found: unknown[] = [];
    for await (const row of rows) found.push(names.map((of) => row[of]));
    return found;
  };

  it('of a feature set: the current one of each interval', async () => {
    await using rows = client.historicalFeatures({
      entityRows: [
        { user_id: 1n, event_timestamp: '2026-01-01T23:59:59.999999Z' },
        { user_id: 1n, event_timestamp: '2026-01-02' },
        { user_id: 1n, event_timestamp: '2026-01-03' },
        { user_id: 9007199254740993n, event_timestamp: '2026-01-04' },
        { user_id: 9007199254740993n, event_timestamp: '2026-01-05T00:00:00.000001Z' },
      ],
      features: [made.view],
    });
    expect(await values(rows, 'total', 'n')).toEqual([
      [null, null],
      [10, 1n],
      [30, 2n],
      [1, 1n],
      [null, null],
    ]);
  });

  it('of what SQL made in a database, beside a raw table of it', async () => {
    const schema = `b${name}`;
    await world.pg.query(`CREATE SCHEMA ${schema};
      CREATE TABLE ${schema}.transactions (customerid text, transactionamount double precision, timestamp timestamptz, isfraud boolean);
      INSERT INTO ${schema}.transactions VALUES ('a', 10, '2026-01-01Z', false), ('a', 20, '2026-01-02Z', true), ('b', 5, '2026-01-01Z', NULL)`);
    const { project, average, last } = bank(schema, schema, { lake: join(folder, 'bank') });
    await world.withWorker(project, async (running) => {
      await expect(
        running.historicalFeatures({ entityRows: [{ user_id: 'a' }], features: [average] }).columns(),
      ).rejects.toMatchObject({ code: expect.stringMatching(/UnknownResource|SourceMissing/) as string });
      await (await running.run('bank_daily', { date: '2026-01-02' })).result();
      await using rows = running.historicalFeatures({
        entityRows: ['a', 'b', 'c'].map((user_id) => ({ user_id, event_timestamp: '2026-01-01T12:00:00Z' })),
        features: [average, last],
      });
      expect(await values(rows, 'avg_transactions', 'last_amount')).toEqual([
        [15, 10],
        [5, 5],
        [null, null],
      ]);
    });
    await world.pg.query(`DROP SCHEMA ${schema} CASCADE; DROP SCHEMA granary_${schema}_dev_offline CASCADE`);
  });
});

describe('granary training-set', () => {
  const granary = (...args: string[]) => shopCommand(made, folder, 'training-set', ...args);
  const plain = (text: string): string =>
    text.replaceAll(/v_\d{8}T\d{6}/g, '<version>').replaceAll(/ {2,}/g, '  ');

  it.concurrent('head shows the first rows, which version they are of, and how many there are', async () => {
    const { stdout, stderr } = await granary('head', 'large_purchases', '-n', '1', '--date', '2026-01-02');
    expect(stderr).toBe('');
    expect(plain(stdout)).toMatch(
      /^user_id \(int64\) {2}sold_at \(timestamp\) {2}total \(float32\) {2}n \(int64\) {2}large \(bool\)\n1 {2}2026-01-02T10:00:00.000001Z {2}10 {2}1 {2}true\n\n1 of 2 rows of large_purchases\.\w+@<version>, \S.*\n$/,
    );
    const whole = await granary('head', 'large_purchases');
    expect(plain(whole.stdout)).toMatch(
      /\n\d of \d rows of large_purchases\.\w+, 2 versions, 2026-01-01\S* to 2026-01-02\S*\n$/,
    );
    const json = JSON.parse(
      (await granary('head', 'training-set/large_purchases', '--date', '2026-01-01', '--json')).stdout,
    ) as { rows: unknown };
    expect(json.rows).toHaveLength(2);
  });

  it.concurrent.each([
    ['parquet', 'one.parquet', '@<version>', 2, ['--date', '2026-01-02']],
    ['parquet', 'all.parquet', ', 2 versions', 4, []],
    ['csv', 'all.csv', ', 2 versions', 4, []],
    ['arrow', 'all.arrows', ', 2 versions', 4, []],
    ['csv', 'one.txt', '@<version>', 2, ['--format', 'csv', '--date', '2026-01-02']],
  ])('export writes %s as %s', async (format, file, of, count, flags) => {
    const path = join(folder, file);
    const { status, stdout, stderr } = await granary('export', 'large_purchases', path, ...flags);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(
      plain(stdout)
        .replace(/\.\w+(?=[@,])/, '')
        .replace(/\d+(?= bytes)/, 'n'),
    ).toBe(`Wrote large_purchases${of} to ${path} (${format}, n bytes).\n`);
    const rows =
      format === 'arrow'
        ? tableFromIPC(await readFile(path)).numRows
        : (await query(format === 'csv' ? `FROM read_csv('${path}')` : `FROM '${path}'`)).length;
    expect(rows).toBe(count);
  });

  it.concurrent.each([
    [
      'a name that says no format',
      ['export', 'large_purchases', 'set.txt'],
      /does not say the format\. End it in \.parquet/,
    ],
    [
      'a set that is not there',
      ['head', 'large_purchase'],
      /No training set "large_purchase" is registered\. Did you mean "large_purchases"/,
    ],
    [
      'a version that is not there',
      ['head', 'large_purchases', '--version', 'v_x'],
      /has no version "v_x"\. "granary versions/,
    ],
    [
      'a date without one',
      ['head', 'large_purchases', '--date', '2026-01-05'],
      /has no version for 2026-01-05/,
    ],
    ['a date that is none', ['head', 'large_purchases', '--date', 'monday'], /monday/],
    [
      'both',
      ['head', 'large_purchases', '--date', '2026-01-01', '--version', 'v_x'],
      /Give one of --date, --as-of and --version/,
    ],
    [
      'a part of a set that is not split',
      ['export', 'large_purchases', 'x.csv', '--split', 'test'],
      /is not split, so it has no part "test"/,
    ],
  ])('refuses %s on stderr, with the remedy', async (_, args, message) => {
    const { status, stdout, stderr } = await granary(...args);
    // What is not there may come to be; what is asked for wrongly will not.
    expect({ status, stdout }).toEqual({ status: /\[SourceMissing\]/.test(stderr) ? 1 : 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
  });
});

describe('features are read online', () => {
  it('for one entity, in order and by name; they print like a quickstart', async () => {
    const values = await client.features([made.view], { user: 1n });
    expect([...values]).toEqual([30, 2n]);
    expect(inspect(values)).toBe('[30, 2]');
    expect(String(values)).toBe('[30, 2]');
    expect(values.named).toEqual({ 'totals:total': 30, 'totals:n': 2n });
    expect(inspect(await client.features(['totals:total'], { user_id: 2n }))).toBe('[5.5]');
    expect(await client.features(['totals:n', made.view.select('total'), 'totals:n'], { user: 1n })).toEqual([
      2n,
      30,
      2n,
    ]);
  });

  it('for several entities, given as a list of values or of entities; what is not there is null', async () => {
    const three = [1n, 404n, 2n];
    const expected = [
      [30, 2n],
      [null, null],
      [5.5, 1n],
    ];
    expect(await client.features(['totals'], { user: three })).toEqual(expected);
    expect(
      await client.features(
        ['totals'],
        three.map((user_id) => ({ user_id })),
      ),
    ).toEqual(expected);
    expect(JSON.stringify(await client.features(['totals:total'], { user: three }))).toBe(
      '[[30],[null],[5.5]]',
    );
  });

  it.each([
    ['no feature', [], { user: 1n }, 'InvalidInput', /No feature was asked for/],
    ['an unknown view', ['totls'], { user: 1n }, 'UnknownResource', /Did you mean "totals"/],
    ['an unknown feature', ['totals:totl'], { user: 1n }, 'UnknownResource', /Did you mean "total"/],
    ['an unknown variant', ['totals.v9'], { user: 1n }, 'UnknownResource', /with the variant "v9"/],
    ['another entity', ['totals'], { customer: 1n }, 'InvalidInput', /An entity has no "user_id"/],
    [
      'lists of two lengths',
      ['totals'],
      { user: [1n], x: [1n, 2n] },
      'InvalidInput',
      /1 values of "user" but 2/,
    ],
    [
      'a lag',
      () => [made.view.lag('1d')],
      { user: 1n },
      'InvalidInput',
      /totals lag by 1d, but online there are the newest values alone/,
    ],
  ])('refuses %s', async (_, asked, entity, code, message) => {
    const features = typeof asked === 'function' ? asked() : asked;
    await expect(client.features(features, entity)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('an Arrow table', () => {
  it('holds every type, NULL in each, and lists', async () => {
    const schema: Record<string, ValueType> = {
      ...{ b: 'bool', i: 'int32', l: 'int64', f: 'float32', d: 'float64', s: 'string', y: 'bytes' },
      ...{ t: 'timestamp', ls: 'list<string>', li: 'list<int64>', lt: 'list<timestamp>' },
    };
    const row = [
      true,
      7,
      2n ** 62n,
      0.5,
      0.1,
      'żółć',
      new Uint8Array([0, 255]),
      1n,
      ['a', ''],
      [1n, -1n],
      [5n],
    ];
    async function* batches() {
      yield { rows: 2, columns: row.map((value) => [value, null]) };
      yield { rows: 1, columns: row.map((value) => [Array.isArray(value) ? [] : value]) };
    }
    const table = tableFromIPC(tableToIPC(await arrowTable(batches(), schema)));
    const column = (name: string): unknown[] =>
      (table.getChild(name)?.toArray() ? [...(table.getChild(name) ?? [])] : []).map((value: unknown) =>
        typeof value === 'object' && value !== null && 'toArray' in value
          ? [...(value as unknown as Iterable<unknown>)]
          : value,
      );
    expect(column('b')).toEqual([true, null, true]);
    expect(column('l')).toEqual([2n ** 62n, null, 2n ** 62n]);
    expect(column('d')).toEqual([0.1, null, 0.1]);
    expect(column('s')).toEqual(['żółć', null, 'żółć']);
    expect(column('y')).toEqual([new Uint8Array([0, 255]), null, new Uint8Array([0, 255])]);
    expect(column('ls')).toEqual([['a', ''], null, []]);
    expect(column('li')).toEqual([[1n, -1n], null, []]);
    expect(table.numRows).toBe(3);
  });
});
