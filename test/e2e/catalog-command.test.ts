import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { caller } from '../../client/caller.js';
import { shop, type Shop } from '../fixtures/shop.js';
import { shopCommand as granary } from '../support/granary-command.js';
import { createWorld, type World } from '../support/world.js';

const name = `c${randomBytes(5).toString('hex')}`;
let world: World;
let made: Shop;
let folder: string;
vi.setConfig({ testTimeout: 240_000 });
beforeAll(async () => {
  world = await createWorld();
  folder = join(world.folder, name);
  process.env['SHOP_VARIANT'] = 'v1';
  made = await shop(name, folder, { variant: 'v1' });
  await world.withWorker(made.project, async (client) => {
    for (const date of ['2026-01-01', '2026-01-02'])
      await (await client.run('shop_daily', { date })).result();
  });
});
afterAll(async () => {
  delete process.env['SHOP_VARIANT'];
  await world[Symbol.asyncDispose]();
});

/** What differs from run to run, by what it is; the width of columns goes with it. */
const normal = (text: string): string =>
  text
    .replaceAll(name, 'SHOP')
    .replaceAll(world.folder, '/tmp')
    .replaceAll(caller(), 'ada@host')
    .replaceAll(/[0-9a-f]{64}/g, '<sha256>')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<run>')
    .replaceAll(/v_\d{8}T\d{6}/g, '<version>')
    .replaceAll(/(?!2026-01-0)20\d\d-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/redis:\/\/[\d.:]+/g, 'redis://host')
    .replaceAll(/(?<=\S) {2,}/g, '  ')
    .replaceAll(/ +$/gm, '');

const says = async (...args: string[]): Promise<string> => {
  const { status, stdout, stderr } = await granary(made, folder, ...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return normal(stdout);
};
const refuses = async (...args: string[]): Promise<string> => {
  const { status, stdout, stderr } = await granary(made, folder, ...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  return normal(stderr);
};
const asJson = async <T>(...args: string[]): Promise<T> =>
  JSON.parse((await granary(made, folder, ...args, '--json')).stdout) as T;

describe('the commands over the catalogue', () => {
  it.concurrent('list everything, or a kind of it', async () => {
    expect(await says('list')).toBe(`KIND  NAME  VARIANT  STATUS  OWNER  TAGS  DESCRIPTION
entity  user  PENDING
label  large  v1 (default)  PENDING
pipeline  shop_daily
provider  lake  PENDING
provider  online  PENDING
provider  raw  PENDING
source  purchases  v1 (default)  READY
source  sales  v1 (default)  PENDING
source  totals  v1 (default)  READY
training set  large_purchases  v1 (default)  READY
feature view  totals  v1 (default)  READY
`);
    expect(await asJson('list', 'training-sets')).toEqual([
      {
        ...{ id: 'trainingSet/large_purchases.v1', kind: 'trainingSet', name: 'large_purchases' },
        ...{ variant: 'v1', default: true, status: 'READY', about: {} },
      },
    ]);
  });

  it.concurrent('describe a feature set: definition, neighbours, schema, place, versions, runs', async () => {
    expect(await says('describe', 'source/totals')).toBe(`NAME  totals
VARIANT  v1 (default)
KIND  source (feature set)
STATUS  READY
SINCE  <time>
FINGERPRINT  <sha256>
DEFINITION
  keys: ["user_id"]
  type: featureSet
  build: SQL
    SELECT user_id, {{interval.end}} AS event_timestamp, sum(amount) AS total, count(*) AS n FROM {{sales.v1}} GROUP BY user_id
  store: lake
  inputs: {"sales.v1":"source/sales.v1"}
  schema: {"n":"int64","total":"float64","user_id":"int64","event_timestamp":"timestamp"}
  columns: ["user_id","event_timestamp","total","n"]
  validate: [{"rule":"notNull","column":"total"}]
  deterministic: true
  timestampField: event_timestamp
READS
  provider/lake
  source/sales.v1
READ BY
  view/totals.v1
SCHEMA
  user_id: int64
  event_timestamp: timestamp
  total: float64
  n: int64
LOCATION
  file:///tmp/SHOP/lake/totals/
PROFILE (<version> of 2026-01-02: 3 rows)
  column  type  null  min  median  mean  max  most frequent
  user_id  int64  0 %  1  2  3002399751580332  9007199254740993  all different
  event_timestamp  timestamp  0 %  2026-01-03  2026-01-03  2026-01-03  2026-01-03 100 %
  total  float64  0 %  1  5.5  12.1667  30  all different
  n  int64  0 %  1  1  1.33333  2  1 66.7 %, 2 33.3 %
VALIDATION
  passed  notNull: total: 0 of 3 rows are NULL
NEWEST VERSIONS (* is current)
     interval  generation  version  committed  rows  workflow  run  notes
  *  2026-01-02  1  <version>  <time>  3  pipeline/SHOP_dev/shop_daily/2026-01-02  <run>
  *  2026-01-01  1  <version>  <time>  2  pipeline/SHOP_dev/shop_daily/2026-01-01  <run>
LAST RUNS
  <time> .. <time>  pipeline/SHOP_dev/shop_daily/2026-01-02 for 2026-01-02: COMPLETED
  <time> .. <time>  pipeline/SHOP_dev/shop_daily/2026-01-01 for 2026-01-01: COMPLETED
`);
  });

  it.concurrent('describe a training set: its columns in order', async () => {
    const { schema } = await asJson<{ schema: Record<string, string> }>('describe', 'large_purchases');
    expect(Object.entries(schema).map((column) => column.join(': '))).toEqual([
      'user_id: int64',
      'sold_at: timestamp',
      'total: float32',
      'n: int64',
      'large: bool',
    ]);
  });

  it.concurrent('describe a training set: the balance of its label, and what its joins found', async () => {
    expect(await says('describe', 'large_purchases')).toContain(`LABEL BALANCE
  false  1  50 %
  true  1  50 %
JOINS
`);
    const { profile } = await asJson<{ profile: { profile: { joins: object[] } } }>(
      'describe',
      'large_purchases',
    );
    expect(profile.profile.joins).toMatchObject([{ view: 'totals for user', matched: 1, matchRate: 0.5 }]);
  });

  it.concurrent('ask for the kind where two share a name, and say what to look at instead', async () => {
    expect(await refuses('get', 'totals')).toBe(
      'granary: "totals" names source/totals.v1 and view/totals.v1. Write source/totals or view/totals. [InvalidInput]\n',
    );
    expect(await says('get', 'feature-set/totals')).toBe(await says('get', 'source/totals'));
    expect(await refuses('preview', 'view/totals')).toBe(
      'granary: view/totals.v1 has no rows of its own: sources and training sets have. It reads source/totals.v1: granary preview source/totals.v1 [InvalidInput]\n',
    );
  });

  it.concurrent('show the first rows with their types, without losing a digit', async () => {
    expect(await says('preview', 'source/totals'))
      .toBe(`user_id (int64)  event_timestamp (timestamp)  total (float64)  n (int64)
1  2026-01-03T00:00:00Z  30  2
2  2026-01-03T00:00:00Z  5.5  1
9007199254740993  2026-01-03T00:00:00Z  1  1
`);
    const { rows } = await asJson<{ rows: unknown[] }>('preview', 'sales', '--limit', '2');
    expect(rows).toEqual([
      { user_id: '1', sold_at: '2026-01-01T10:00:00Z', amount: 10 },
      { user_id: '1', sold_at: '2026-01-02T10:00:00.000001Z', amount: 20 },
    ]);
  });

  it.concurrent(
    'pin what a model was trained on, and tell where that came from, down to the files',
    async () => {
      const [newest] = await asJson<{ version: string }[]>('versions', 'large_purchases', '--limit', '1');
      const version = `large_purchases@${newest?.version ?? ''}`;
      const refused = await refuses('model', 'link', 'churn', 'large_purchases');
      expect(refused).toMatch(
        /No training set has a version "large_purchases"\. Write <training set>@<version>/,
      );
      for (const again of [1, 2])
        expect([again, await says('model', 'link', 'churn', version)]).toEqual([
          again,
          'churn was trained on trainingSet/large_purchases.v1@<version> (linked by ada@host)\n',
        ]);
      expect(await says('lineage', version))
        .toBe(`trainingSet/large_purchases.v1@<version> for 2026-01-02, 2 rows
was made from:
  source/purchases.v1@<version> for 2026-01-02, 2 rows
    source/sales.v1: sales.parquet (sha256 <sha256>)
  source/totals.v1@<version> for 2026-01-01, 2 rows
    source/sales.v1: sales.parquet (sha256 <sha256>)
is used by:
  model/churn
`);
      expect(await says('lineage', 'model/churn')).toMatch(
        /^model\/churn\ncomes from:\n {2}trainingSet\/large_purchases\.v1\n {4}label\/large\.v1\n/,
      );
    },
  );

  it.concurrent('change what people say, and tell who did', async () => {
    await says('tag', 'label/large', 'pii', 'fraud', '--owner', 'ada@example.com', '--property', 'tier=1');
    expect(
      await says('tag', 'label/large', 'pii', 'gold', '--remove', 'fraud', '--property', 'team=risk'),
    ).toBe('OWNER  ada@example.com\nTAGS  pii, gold\nPROPERTIES  tier = 1, team = risk\n');
    expect(await says('history', 'label/large')).toBe(`AT  BY  WHAT  DETAIL
<time>  registered
<time>  ada@host  tag  owner: "ada@example.com", addTags: ["pii","fraud"], properties: {"tier":"1"}
<time>  ada@host  tag  addTags: ["pii","gold"], properties: {"team":"risk"}, removeTags: ["fraud"]
`);
    expect(await says('search', 'ada@example.com', 'godl')).toBe(
      'NAME  VARIANT  KIND  TAGS  FOUND IN\nlarge  v1 (default)  label  pii, gold  owner, tags\n',
    );
  });
});
