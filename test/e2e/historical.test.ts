import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tableFromIPC, tableToIPC } from 'apache-arrow';
import { Timestamp } from 'granary';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { arrowTable } from '../../client/arrow.js';
import { GranaryClient, type EntityRows } from '../../client/index.js';
import { scratchParent } from '../../client/scratch.js';
import { history, person, spend, stock, weather } from '../fixtures/history.js';
import { query } from '../support/duckdb.js';
import { createWorld, type World } from '../support/world.js';

vi.setConfig({ testTimeout: 120_000 });

let world: World;
let client: GranaryClient;
let made: Awaited<ReturnType<typeof history>>;
let folder: string;
beforeAll(async () => {
  world = await createWorld();
  folder = join(world.folder, 'lake');
  made = await history(world.name, folder, world.pg);
  world.uses(made.project);
  client = await GranaryClient.connect({ project: made.project });
});
afterAll(async () => {
  await client.close();
  await world.pg.query(`DROP SCHEMA ${world.name} CASCADE`);
  await world[Symbol.asyncDispose]();
});

const all = async <T>(rows: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const row of rows) found.push(row);
  return found;
};
const at = (text: string): Timestamp => Timestamp.from(text);
const path = (name: string): string => join(world.folder, name);

/** user, time, and what is known of spend (amount, n) and the person's name then. */
const BIG = 9007199254740993n;
const CASES: readonly [
  title: string,
  user: bigint | null,
  time: string | null,
  spend: readonly [number | null, bigint | null],
  name: string | null,
][] = [
  [
    'a tie goes to the one made last, and the instant itself counts',
    1n,
    '2026-01-02T00:00:00Z',
    [21, BIG],
    'Zoë',
  ],
  ['a microsecond before, the value before counts', 1n, '2026-01-01T23:59:59.999999Z', [10, 1n], 'Zoë'],
  ['the TTL is inclusive', 1n, '2026-01-04T00:00:00Z', [21, BIG], 'Zoë'],
  ['a microsecond later nothing is left', 1n, '2026-01-04T00:00:00.000001Z', [null, null], 'Zoë'],
  ['a NULL value is a value', 2n, '2026-01-02T00:00:00Z', [null, 5n], '😀'],
  ['nobody knows this user', 3n, '2026-01-02T00:00:00Z', [null, null], null],
  ['a NULL key matches nothing', null, '2026-01-02T00:00:00Z', [null, null], null],
  ['a row that is there twice stays twice', 1n, '2026-01-02T00:00:00Z', [21, BIG], 'Zoë'],
  ['a row without a time matches nothing in time', 1n, null, [null, null], 'Zoë'],
];
const EXPECTED = CASES.map(([title, user_id, time, [amount, n], name], i) => ({
  ...{ note: title, user_id, w: i + 0.5, event_timestamp: time === null ? null : at(time), amount, n, name },
}));
const objects = CASES.map(([note, user_id, event_timestamp], i) => ({
  note,
  user_id,
  w: i + 0.5,
  event_timestamp,
}));
const sql = `SELECT * FROM (VALUES ${CASES.map(
  ([title, user, time], i) =>
    `('${title}', ${String(user)}::BIGINT, ${i + 0.5}::DOUBLE, ${time === null ? 'NULL' : `'${time}'`}::TIMESTAMPTZ)`,
).join(', ')}) t(note, user_id, w, event_timestamp)`;

/** Each way to give the same rows. */
const KINDS: Readonly<Record<string, () => Promise<EntityRows>>> = {
  objects: () => Promise.resolve(objects),
  'objects with numbers and dates': () =>
    Promise.resolve(
      objects.map((row) => ({
        ...row,
        user_id: row.user_id === null ? null : Number(row.user_id),
        event_timestamp: row.event_timestamp === null ? null : at(row.event_timestamp),
      })),
    ),
  'a Parquet file': async () => {
    await query(`COPY (${sql}) TO '${path('rows.parquet')}' (FORMAT parquet)`);
    return path('rows.parquet');
  },
  'a Parquet file of times without a zone and of small keys': async () => {
    await query(
      `COPY (SELECT * REPLACE (user_id::INTEGER AS user_id, event_timestamp::TIMESTAMP AS event_timestamp) FROM (${sql})) TO '${path('naive.parquet')}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
    );
    return path('naive.parquet');
  },
  'a CSV file': async () => {
    const lines = objects.map((row) => {
      // Another zone, none, and none with a blank all mean the same instant.
      const time = row.event_timestamp?.replace('2026-01-02T00:00:00Z', '2026-01-02T01:00:00+01:00') ?? '';
      return `"${row.note}",${row.user_id ?? ''},${row.w},${time.replace('T23:59:59.999999Z', ' 23:59:59.999999')}`;
    });
    await writeFile(path('rows.csv'), ['note,user_id,w,event_timestamp', ...lines, ''].join('\n'));
    return path('rows.csv');
  },
  'an Arrow table': async () => {
    const schema = { note: 'string', user_id: 'int64', w: 'float64', event_timestamp: 'timestamp' } as const;
    async function* batches() {
      for (const row of objects) {
        const time = row.event_timestamp === null ? null : at(row.event_timestamp).micros;
        yield { rows: 1, columns: [[row.note], [row.user_id], [row.w], [time]] };
      }
    }
    return tableFromIPC(tableToIPC(await arrowTable(batches(), schema)));
  },
};

describe("features of the past for the caller's rows", () => {
  it.each(Object.keys(KINDS))('are the same for %s', async (kind) => {
    const entityRows = (await KINDS[kind]?.()) ?? [];
    await using rows = client.historicalFeatures({ entityRows, features: [spend, person] });
    const isSmall = kind.includes('small keys');
    const key = (id: bigint | null): unknown => (isSmall && id !== null ? Number(id) : id);
    expect(await all(rows)).toEqual(EXPECTED.map((row) => ({ ...row, user_id: key(row.user_id) })));
    expect(await rows.columns()).toEqual({
      ...{ note: 'string', user_id: isSmall ? 'int32' : 'int64', w: 'float64' },
      ...{ event_timestamp: 'timestamp', amount: 'float64', n: 'int64', name: 'string' },
    });
  });

  it('come from a database and from files in one join', async () => {
    await using rows = client.historicalFeatures({
      entityRows: [
        { user_id: 1n, event_timestamp: '2026-01-02' },
        { user_id: 1n, event_timestamp: '2026-01-03' },
        { user_id: 2n, event_timestamp: '2026-01-02' },
        { user_id: 2n, event_timestamp: '2026-01-02T00:00:00.000001Z' },
      ],
      features: [made.scores, 'spend:n'],
    });
    expect((await all(rows)).map(({ score, tags, n }) => [score, tags, n])).toEqual([
      [0.5, ['a', 'b'], BIG],
      [NaN, null, BIG],
      [0.25, [], 5n],
      [null, null, 5n],
    ]);
  });

  it('are those of several roles, keyed <role>__<key>', async () => {
    await using rows = client.historicalFeatures({
      entityRows: [
        { origin__airport: 'A', dest__airport: 'B', event_timestamp: '2026-01-01T12:00:00Z' },
        { origin__airport: 'B', dest__airport: 'A', event_timestamp: '2026-01-02' },
      ],
      features: [weather.for('origin'), weather.for('dest')],
    });
    const found = await all(rows);
    expect(found.map((row) => [row.origin__temp, row.dest__temp])).toEqual([
      [1.5, -3],
      [-3, 2.5],
    ]);
    expect(Object.keys(found[0] ?? {})).toEqual([
      ...['origin__airport', 'dest__airport', 'event_timestamp', 'origin__temp', 'dest__temp'],
    ]);
  });

  it('lag: the value as it was that much earlier, and the TTL counts from then', async () => {
    await using rows = client.historicalFeatures({
      entityRows: [
        { user_id: 1n, event_timestamp: '2026-01-02T23:59:59.999999Z' },
        { user_id: 1n, event_timestamp: '2026-01-03' },
        { user_id: 1n, event_timestamp: '2026-01-05' },
        { user_id: 1n, event_timestamp: '2026-01-05T00:00:00.000001Z' },
      ],
      features: [spend.select('amount').lag('1d'), spend.select('amount')],
    });
    expect((await all(rows)).map((row) => [row.amount_lag_1d, row.amount])).toEqual([
      [10, 21],
      [21, 21],
      [21, null],
      [null, null],
    ]);
  });

  it('count only what was known at the time, where that is asked for', async () => {
    await using rows = client.historicalFeatures({
      entityRows: ['2026-01-02T00:00:00Z', '2026-01-02T01:00:00Z', '2026-01-02T02:00:00Z'].map((time) => ({
        user_id: 1n,
        event_timestamp: time,
      })),
      features: [spend.select('amount')],
      knownAt: true,
    });
    expect((await all(rows)).map(({ amount }) => amount)).toEqual([10, 20, 21]);
  });

  it('are joined by several keys, with another column as the time', async () => {
    await using rows = client.historicalFeatures({
      entityRows: [
        { place: 2, shop: 'a', seen: new Date('2026-01-01') },
        { place: 1, shop: 'b', seen: new Date('2026-01-01') },
        { place: 2, shop: 'b', seen: new Date('2026-01-01') },
      ],
      features: [stock],
      timestampField: 'seen',
    });
    expect((await all(rows)).map(({ n }) => n)).toEqual([8, 9, null]);
  });

  it('are the newest for rows without a time', async () => {
    await using rows = client.historicalFeatures({
      entityRows: [{ user_id: 1n }, { user_id: 2n }],
      features: [spend.select('amount')],
    });
    expect(await all(rows)).toEqual([
      { user_id: 1n, amount: 21 },
      { user_id: 2n, amount: null },
    ]);
  });

  it('are the newest where that is asked for, whatever times the rows have', async () => {
    await using rows = client.historicalFeatures({
      entityRows: [{ user_id: 1n, event_timestamp: '2026-01-01', seen: new Date('2026-01-01') }],
      features: [spend.select('amount')],
      timestampField: null,
    });
    expect((await all(rows)).map(({ amount }) => amount)).toEqual([21]);
  });

  it('have their own names, the view before them where another column has that, or always', async () => {
    const names = async (features: readonly string[], fullFeatureNames: boolean): Promise<string[]> => {
      await using rows = client.historicalFeatures({
        entityRows: [{ user_id: 1n, shop: 'a', place: 1, Name: 'x', event_timestamp: '2026-01-02' }],
        features,
        fullFeatureNames,
      });
      return Object.keys(await rows.columns()).slice(5);
    };
    expect(await names(['spend', 'stock', 'person:name'], false)).toEqual([
      ...['amount', 'spend__n', 'stock__n', 'person__name'],
    ]);
    expect(await names(['spend:amount', 'stock'], true)).toEqual(['spend__amount', 'stock__n']);
  });

  it('keep the order of many rows, whatever their keys and times', async () => {
    const file = path('many.parquet');
    await query(
      `COPY (SELECT (hash(i) % 3 + 1)::BIGINT AS user_id, i AS place, TIMESTAMPTZ '2026-01-01' + to_seconds(hash(i) % 200000) AS event_timestamp FROM range(300000) t(i)) TO '${file}' (FORMAT parquet)`,
    );
    await using rows = client.historicalFeatures({ entityRows: file, features: [spend] });
    await rows.toParquet(path('joined.parquet'));
    const [checked] = await query(
      `WITH j AS (SELECT *, row_number() OVER () - 1 AS r FROM '${path('joined.parquet')}')
       SELECT count(*)::INTEGER AS n, count(*) FILTER (WHERE place <> r)::INTEGER AS moved, count(*) FILTER (WHERE n IS DISTINCT FROM CASE
         WHEN user_id = 1 AND event_timestamp >= '2026-01-02' THEN 9007199254740993 WHEN user_id = 1 THEN 1
         WHEN user_id = 2 AND event_timestamp >= '2026-01-01 12:00' THEN 5 END)::INTEGER AS wrong FROM j`,
    );
    expect(checked).toEqual({ n: 300_000, moved: 0, wrong: 0 });
  });

  it('are none for no rows', async () => {
    await using rows = client.historicalFeatures({ entityRows: [], features: [spend] });
    expect(await all(rows)).toEqual([]);
    expect(Object.keys(await rows.columns())).toEqual(['user_id', 'event_timestamp', 'amount', 'n']);
    await rows.toArrow(path('none.arrow'));
    const table = tableFromIPC(await readFile(path('none.arrow')));
    expect([table.numRows, table.schema.fields.length]).toEqual([0, 4]);
  });

  it('are joined once, and nothing is left when they are closed', async () => {
    const own = async (): Promise<string[]> =>
      (await readdir(scratchParent())).filter((name) => name.includes(`@${process.pid}-`));
    const before = await own();
    const rows = client.historicalFeatures({ entityRows: objects, features: [spend] });
    expect(await all(rows.rows({ limit: 2 }))).toHaveLength(2);
    const kept = await own();
    expect(kept).toHaveLength(before.length + 1);
    expect((await rows.table()).numRows).toBe(CASES.length);
    expect(await own()).toEqual(kept);
    await rows.close();
    expect(await own()).toEqual(before);
  });
});

describe('entity rows are refused', () => {
  const UNNAMED =
    /have times \("seen"\), but no column "event_timestamp"\. .* timestampField: "seen", .* timestampField: null/;
  const row = { user_id: 1n, event_timestamp: '2026-01-02' };
  it.each<[string, Parameters<GranaryClient['historicalFeatures']>[0], RegExp]>([
    [
      'without a join key',
      { entityRows: [{ userid: 1n }], features: [spend] },
      /no column "user_id", a join key of the view spend\. They have userid\. Add/,
    ],
    ['with a key in another case', { entityRows: [{ User_ID: 1n }], features: [spend] }, /Rename "User_ID"/],
    [
      'without the time that was named',
      { entityRows: [row], features: [spend], timestampField: 'seen' },
      /no column "seen", the time .* timestampField: '\.\.\.'/,
    ],
    ...[new Date('2026-01-02'), at('2026-01-02'), '2026-01-02', '2026-01-02T00:00:00Z'].map(
      (seen): [string, Parameters<GranaryClient['historicalFeatures']>[0], RegExp] => [
        `with times in another column alone (${String(seen)})`,
        { entityRows: [{ user_id: 1n, seen }], features: [spend] },
        UNNAMED,
      ],
    ),
    [
      'with a key of another type',
      { entityRows: [row, { ...row, user_id: '1' }], features: [spend] },
      /row 2, column "user_id": int64 expected, got "1" \(string\)/,
    ],
    [
      'with a key that lost digits',
      { entityRows: [{ ...row, user_id: 2 ** 53 }], features: [spend] },
      /row 1, column "user_id": int64 expected, got 9007199254740992/,
    ],
    [
      'with a time that is none',
      { entityRows: [row, row, { ...row, event_timestamp: 'tomorrow' }], features: [spend] },
      /row 3, column "event_timestamp": timestamp expected, got "tomorrow".*Write ISO-8601/,
    ],
    [
      'with a row that lacks a column',
      { entityRows: [row, { user_id: 1n }], features: [spend] },
      /row 2 has no "event_timestamp" \(write null for NULL\)/,
    ],
    [
      'with values of two types',
      {
        entityRows: [
          { ...row, w: 1 },
          { ...row, w: 'x' },
        ],
        features: [spend],
      },
      /row 2, column "w": float64 expected, got "x"/,
    ],
    [
      'with a value of no type',
      { entityRows: [{ ...row, w: { a: 1 } }], features: [spend] },
      /column "w" is object, which Granary has no type for/,
    ],
    [
      'of a file that is neither',
      { entityRows: 'rows.json', features: [spend] },
      /neither Parquet nor CSV by their name/,
    ],
    [
      'that lag without a time',
      { entityRows: [{ user_id: 1n }], features: [spend.lag('1d')] },
      /spend lag by 1d, but the entity rows have no time/,
    ],
    [
      'known at no time',
      { entityRows: [{ user_id: 1n }], features: [spend], knownAt: true },
      /knownAt: the entity rows have no time/,
    ],
    [
      'known at a time that nobody noted',
      { entityRows: [{ airport: 'A', event_timestamp: '2026-01-02' }], features: [weather], knownAt: true },
      /source weather of the view weather has no createdTimestampField/,
    ],
    [
      'with a column whose name is a whole number',
      { entityRows: [{ ...row, 2024: 1 }], features: [spend] },
      /column "2024"\. JavaScript moves .* Rename it, such as to "c2024"/,
    ],
    ['with a feature twice', { entityRows: [row], features: [spend, 'spend:n'] }, /two columns "spend__n"/],
    ['for nothing', { entityRows: [row], features: [] }, /No feature was asked for/],
  ])('%s', async (_, options, message) => {
    await expect(client.historicalFeatures(options).columns()).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringMatching(message) as string,
    });
  });

  it.each([
    [
      'a CSV with a key of another type',
      'user_id,event_timestamp\n1,2026-01-02\nx2,2026-01-02\n',
      /row 2, column "user_id": int64 expected, got "x2"/,
    ],
    [
      'a CSV with a time that is none',
      'user_id,event_timestamp\n1,2026-01-02\n2,02\/01\/2026\n',
      /row 2, column "event_timestamp": timestamp expected, got "02\/01\/2026".*Write ISO-8601/,
    ],
    ['a CSV with dates in another column alone', 'user_id,seen\n1,2026-01-02\n', UNNAMED],
    ['a CSV with times in another column alone', 'user_id,seen\n1,2026-01-02T10:00:00Z\n', UNNAMED],
    ['a CSV without the key', 'id,event_timestamp\n1,2026-01-02\n', /no column "user_id"/],
  ])('%s', async (_, text, message) => {
    await writeFile(path('bad.csv'), text);
    await expect(
      client.historicalFeatures({ entityRows: path('bad.csv'), features: [spend] }).columns(),
    ).rejects.toMatchObject({ code: 'InvalidInput', message: expect.stringMatching(message) as string });
  });

  it.each([
    [
      'a Parquet key of another type',
      `SELECT '1' AS user_id, TIMESTAMPTZ '2026-01-02' AS event_timestamp`,
      /column "user_id" is VARCHAR, but as a join key of the view spend it is int64/,
    ],
    [
      'a Parquet time that is text',
      `SELECT 1::BIGINT AS user_id, '2026-01-02' AS event_timestamp`,
      /column "event_timestamp".* is VARCHAR\. Convert it/,
    ],
    [
      'a Parquet date in another column alone',
      `SELECT 1::BIGINT AS user_id, DATE '2026-01-02' AS seen`,
      UNNAMED,
    ],
    [
      'a Parquet time in another column alone',
      `SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-02' AS seen`,
      UNNAMED,
    ],
    [
      'a Parquet column of no type',
      `SELECT 1::BIGINT AS user_id, {'a': 1} AS s`,
      /column "s" is STRUCT.* no type for/,
    ],
  ])('%s', async (_, select, message) => {
    await query(`COPY (${select}) TO '${path('bad.parquet')}' (FORMAT parquet)`);
    await expect(
      client.historicalFeatures({ entityRows: path('bad.parquet'), features: [spend] }).columns(),
    ).rejects.toMatchObject({ code: 'InvalidInput', message: expect.stringMatching(message) as string });
  });

  it('of a file that is not there, by its name; and of an unknown view, with the nearest', async () => {
    await expect(
      client.historicalFeatures({ entityRows: path('gone.csv'), features: [spend] }).columns(),
    ).rejects.toMatchObject({
      code: 'SourceMissing',
      message: expect.stringContaining('gone.csv') as string,
    });
    await expect(
      client.historicalFeatures({ entityRows: [], features: ['spent'] }).columns(),
    ).rejects.toMatchObject({
      code: 'UnknownResource',
      message: expect.stringContaining('"spend"') as string,
    });
  });

  it('a CSV keeps every digit of a column that nobody declared, and tells numbers from texts', async () => {
    await writeFile(
      path('types.csv'),
      'user_id,i,big,zip,f,b,t,d,s,none\n1,9007199254740993,123456789012345678901,00501,1e3,true,2026-01-02T10:00:00.000001Z,2026-01-02,x,\n2,-1,1,00502,.5,FALSE,2026-01-02 10:00,2026-01-03,"",\n',
    );
    await using rows = client.historicalFeatures({
      entityRows: path('types.csv'),
      features: [person],
      timestampField: null,
    });
    expect(await all(rows)).toEqual([
      {
        ...{
          user_id: 1n,
          i: 9007199254740993n,
          big: '123456789012345678901',
          zip: '00501',
          f: 1000,
          b: true,
        },
        ...{ t: at('2026-01-02T10:00:00.000001Z'), d: '2026-01-02', s: 'x', none: null, name: 'Zoë' },
      },
      {
        ...{ user_id: 2n, i: -1n, big: '1', zip: '00502', f: 0.5, b: false },
        ...{ t: at('2026-01-02T10:00:00Z'), d: '2026-01-03', s: '', none: null, name: '😀' },
      },
    ]);
  });
});
