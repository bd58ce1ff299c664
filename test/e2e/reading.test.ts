import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { tableFromIPC, tableToIPC } from 'apache-arrow';
import { Timestamp, type ValueType } from 'granary';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GranaryClient, type Example } from '../../client/index.js';
import { arrowTable } from '../../client/arrow.js';
import { shop, type Shop } from '../fixtures/shop.js';
import { createWorld, type World } from '../support/world.js';

vi.setConfig({ testTimeout: 240_000 });

let world: World;
let made: Shop;
let client: GranaryClient;
beforeAll(async () => {
  world = await createWorld();
  const name = `r${randomBytes(5).toString('hex')}`;
  made = await shop(name, join(world.folder, name));
  await world.withWorker(made.project, async (running) => {
    for (const date of ['2026-01-01', '2026-01-02'])
      await (await running.run('shop_daily', { date })).result();
  });
  client = await GranaryClient.connect({ project: made.project });
}, 120_000);
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
      /totals are asked for as they were 1d ago/,
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
