import { describe, expect, it } from 'vitest';
import {
  compile,
  defineProject,
  entity,
  feature,
  featureSet,
  featureView,
  fileStore,
  fromEnv,
  label,
  postgresDatabase,
  postgresProvider,
  postgresStore,
  redisStore,
  sql,
  t,
  trainingSet,
  type Project,
} from '../../definitions/index.js';
import { postgresUrl, redisUrl } from '../../providers/addresses.js';

const warehouse = postgresProvider('warehouse');
const lake = fileStore('lake');
const customer = entity('customer', { joinKeys: { id: t.string } });
const schema = { id: t.string, amount: t.float64, at: t.timestamp } as const;
const orders = warehouse.table('orders', { schema, timestampField: 'at' });
const totals = warehouse.sql('totals', {
  query: sql`SELECT id, sum(amount) AS total FROM ${orders} GROUP BY id`,
  schema: { id: t.string, total: t.float64 },
});
const events = lake.parquet('events', { path: 'e.parquet', schema, timestampField: 'at' });
const ordered = label('ordered', {
  entity: customer,
  source: orders,
  key: 'id',
  value: 'amount',
  timestampField: 'at',
});
const total = feature('total', { entity: customer, source: totals, key: 'id', value: 'total' });

const project = (...resources: Project['resources']) =>
  compile(defineProject({ name: 'p', variant: 'v', resources, environments: { dev: { bind: {} } } }));
const spec = (id: string, ...resources: Project['resources']) =>
  project(...resources).resources.get(id)?.spec;

describe('tables and SQL of a database', () => {
  it('compile to specs that name the database, the table and the engine', () => {
    const set = trainingSet('training', { label: ordered, features: [total] });
    expect(spec('source/orders.v', set)).toMatchObject({
      type: 'table',
      store: 'warehouse',
      table: 'orders',
    });
    expect(spec('source/totals.v', set)).toMatchObject({
      engine: 'postgres',
      inputs: { 'orders.v': 'source/orders.v' },
    });
    expect(spec('trainingSet/training.v', set)).toMatchObject({ engine: 'postgres', store: 'warehouse' });
    expect(spec('provider/warehouse', set)).toEqual({ type: 'postgres' });
  });

  it('a training set that names a file store is joined by DuckDB and stored there', () => {
    const set = trainingSet('training', { label: ordered, features: [total], store: 'lake' });
    expect(spec('trainingSet/training.v', set)).toMatchObject({ store: 'lake' });
    expect(spec('trainingSet/training.v', set)).not.toHaveProperty('engine');
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'SQL over files in a database',
      () => project(warehouse.sql('x', { query: sql`SELECT id FROM ${events}`, schema: { id: t.string } })),
      /transformation x runs in the database "warehouse", but its input events lies in "lake".*fileStore/,
    ],
    [
      'SQL over another database',
      () =>
        project(
          postgresProvider('other').sql('x', {
            query: sql`SELECT id FROM ${orders}`,
            schema: { id: t.string },
          }),
        ),
      /runs in the database "other", but its input orders lies in "warehouse"/,
    ],
    [
      'a training set over both without a place',
      () =>
        project(
          trainingSet('s', {
            label: ordered,
            features: [featureView('v', { entities: [customer], source: events, features: ['at'] })],
          }),
        ),
      /training set s cannot be joined in the database "warehouse": the source events lies in "lake".*file store/,
    ],
    [
      'an empty table name',
      () => warehouse.table('x', { schema, table: '' }),
      /source x: table must be a name/,
    ],
  ])('%s is refused', (_, make, says) => expect(make).toThrow(says));
});

describe('names in place of definitions', () => {
  it('mean the definitions of the project, whichever comes first', () => {
    const byName = [
      trainingSet('training', { label: 'ordered', features: ['total', 'both:amount'] }),
      label('ordered', {
        entity: 'customer',
        source: 'orders',
        key: 'id',
        value: 'amount',
        timestampField: 'at',
      }),
      feature('total', { entity: 'customer', source: 'totals', key: 'id', value: 'total' }),
      featureView('both', {
        entities: ['customer'],
        source: 'source/orders',
        keys: { id: 'id' },
        features: ['amount'],
        online: 'online',
      }),
      totals,
      customer,
    ];
    const both = featureView('both', { entities: [customer], source: orders, features: ['amount'] });
    const byObject = trainingSet('training', { label: ordered, features: [total, both.select('amount')] });
    const named = project(...byName).resources;
    const plain = project(byObject).resources;
    expect(named.get('trainingSet/training.v')?.fingerprint).toBe(
      plain.get('trainingSet/training.v')?.fingerprint,
    );
    expect(named.get('label/ordered.v')?.spec).toEqual(plain.get('label/ordered.v')?.spec);
    expect(named.get('view/both.v')?.spec).toMatchObject({ online: 'online', source: 'source/orders.v' });
    expect(named.get('provider/online')?.spec).toEqual({ type: 'online' });
  });

  it('a feature set takes its store by name', () => {
    const set = featureSet('set', {
      store: 'lake',
      timestampField: 'at',
      schema,
      build: sql`SELECT * FROM ${events}`,
    });
    expect(spec('source/set.v', set)).toMatchObject({ store: 'lake' });
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'a source',
      () => project(totals, feature('f', { entity: customer, source: 'totls', key: 'id', value: 'total' })),
      /feature view f: there is no source "totls". Did you mean "totals"\?/,
    ],
    [
      'an entity',
      () => project(customer, feature('f', { entity: 'custmer', source: totals, key: 'id', value: 'total' })),
      /feature view f: there is no entity "custmer". Did you mean "customer"\?/,
    ],
    [
      'a label',
      () => project(ordered, trainingSet('s', { label: 'orderd', features: [total] })),
      /training set s: there is no label "orderd". Did you mean "ordered"\?/,
    ],
    [
      'a view',
      () => project(total, trainingSet('s', { label: ordered, features: ['totl'] })),
      /training set s: there is no feature view "totl". Did you mean "total"\?/,
    ],
    [
      'a feature of a view',
      () => project(total, trainingSet('s', { label: ordered, features: ['total:sum'] })),
      /feature view total has no feature "sum"/,
    ],
    [
      'a column of a source by name',
      () => project(totals, feature('f', { entity: customer, source: 'totals', key: 'id', value: 'sum' })),
      /there is no column "sum"/,
    ],
  ])('%s that is not there is named with the nearest one', (_, make, says) => expect(make).toThrow(says));
});

describe('what is for people', () => {
  it('has properties, which are no part of the meaning', () => {
    const set = { label: ordered, features: [total] } as const;
    const plain = project(trainingSet('s', set)).resources.get('trainingSet/s.v');
    const marked = project(trainingSet('s', { ...set, properties: { team: 'risk' } })).resources.get(
      'trainingSet/s.v',
    );
    expect(marked?.about).toEqual({ properties: { team: 'risk' } });
    expect(marked?.fingerprint).toBe(plain?.fingerprint);
  });
});

describe('addresses', () => {
  it('are URLs or their parts; what a URL reserves is escaped', () => {
    process.env['TABLES_PASSWORD'] = 'p@ss/w:rd?';
    const password = fromEnv('TABLES_PASSWORD');
    const postgres = { host: 'db', user: 'me', password, database: 'shop' };
    const redis = redisStore({ host: 'cache', db: 2, password, tls: true });
    expect(postgresUrl('x', postgres)).toBe('postgres://me:p%40ss%2Fw%3Ard%3F@db:5432/shop');
    expect(postgresUrl('x', { ...postgres, port: 6543, sslmode: 'require' })).toBe(
      'postgres://me:p%40ss%2Fw%3Ard%3F@db:6543/shop?sslmode=require&uselibpqcompat=true',
    );
    expect(redis.type === 'redis' && redisUrl('x', redis)).toBe('rediss://:p%40ss%2Fw%3Ard%3F@cache:6379/2');
    expect(postgresDatabase({ url: 'postgres://me@db/shop' })).toEqual({
      type: 'postgres',
      url: 'postgres://me@db/shop',
    });
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'a password in a URL',
      () => postgresDatabase({ url: 'postgres://me:hush@db/x' }),
      /holds a password.*fromEnv/,
    ],
    [
      'a password as a text',
      () => postgresStore({ host: 'db', user: 'me', database: 'x', password: 'hush' as never }),
      /postgresStore: the password stands in the code.*fromEnv/,
    ],
    ['no database', () => postgresDatabase({ host: 'db', user: 'me' } as never), /database is missing/],
    [
      'an unknown sslmode',
      () => postgresDatabase({ host: 'db', user: 'me', database: 'x', sslmode: 'allow' as never }),
      /sslmode "allow" is not known. Write one of disable, require/,
    ],
    ['both', () => redisStore({ url: 'redis://x', host: 'y' } as never), /give a url or host, not both/],
    [
      'a port that is none',
      () => redisStore({ host: 'x', port: 0 }),
      /port must be a number from 1 to 65535/,
    ],
  ])('%s is refused', (_, make, says) => expect(make).toThrow(says));
});
