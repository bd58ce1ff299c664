import { describe, expectTypeOf, it } from 'vitest';
import {
  entity,
  feature,
  featureSet,
  featureView,
  fileStore,
  label,
  notNull,
  onlineStore,
  postgresProvider,
  sql,
  t,
  trainingSet,
  type Timestamp,
  warn,
  rowCountChange,
  noSchemaDrift,
  freshness,
} from '../../definitions/index.js';
import type { GranaryClient } from '../../client/index.js';

const lake = fileStore('lake');
const online = onlineStore('online');
const user = entity('user', { joinKeys: { user_id: t.int64 } });
const events = lake.parquet('events', {
  path: 'events.parquet',
  schema: { user_id: t.int64, customer: t.string, at: t.timestamp, amount: t.float64, fraud: t.bool },
  timestampField: 'at',
});
const totals = featureSet('totals', {
  store: lake,
  inputs: { events },
  timestampField: 'event_timestamp',
  schema: { user_id: t.int64, event_timestamp: t.timestamp, total: t.float64, n: t.int32 },
  build: sql`SELECT 1 FROM ${events}`,
});
const view = featureView('totals', { entities: [user], source: totals, features: ['total', 'n'], online });

describe('what does not compile', () => {
  it('a timestamp field that is no timestamp column', () => {
    lake.parquet('x', {
      path: 'x',
      schema: { at: t.timestamp, amount: t.float64 },
      // @ts-expect-error amount is a float64
      timestampField: 'amount',
    });
    // @ts-expect-error there is no such column
    lake.parquet('x', { path: 'x', schema: { at: t.timestamp }, timestampField: 'nope' });
  });
  it('a wrong column of a table or of SQL in a database', () => {
    const warehouse = postgresProvider('warehouse');
    // @ts-expect-error amount is a float64
    warehouse.table('x', { schema: { at: t.timestamp, amount: t.float64 }, timestampField: 'amount' });
    const orders = warehouse.table('orders', { schema: { id: t.int64, at: t.timestamp } });
    // @ts-expect-error there is no column "nope"
    warehouse.sql('x', { query: sql`SELECT id FROM ${orders}`, schema: { id: t.int64 }, keys: ['nope'] });
    // @ts-expect-error there is no column "nope"
    featureView('v', { entities: [user], source: orders, keys: { user_id: 'id' }, features: ['nope'] });
  });
  it('a feature over a column that is not there', () => {
    // @ts-expect-error there is no column "nope"
    featureView('v', { entities: [user], source: totals, features: ['nope'] });
    // @ts-expect-error there is no column "nope"
    featureView('v', { entities: [user], source: totals, features: { f: { column: 'nope' } } });
  });
  it('a feature whose type its column cannot have', () => {
    featureView('v', {
      entities: [user],
      source: totals,
      features: { f: { column: 'total', type: t.float32 } },
    });
    featureView('v', { entities: [user], source: totals, features: { f: { column: 'n', type: t.int64 } } });
    featureView('v', {
      entities: [user],
      source: totals,
      // @ts-expect-error a float64 is no int64
      features: { f: { column: 'total', type: t.int64 } },
    });
  });
  it('a view whose source lacks the join key, or has it in another type', () => {
    const other = entity('other', { joinKeys: { other_id: t.string } });
    // @ts-expect-error totals has no column other_id, so keys must be given
    featureView('v', { entities: [other], source: totals, features: ['total'] });
    const texts = entity('texts', { joinKeys: { user_id: t.string } });
    // @ts-expect-error user_id is an int64 in totals
    featureView('v', { entities: [texts], source: totals, features: ['total'] });
    featureView('v', {
      entities: [other],
      source: events,
      keys: { other_id: 'customer' },
      features: ['amount'],
    });
    featureView('v', {
      entities: [other],
      source: events,
      // @ts-expect-error amount is no text
      keys: { other_id: 'amount' },
      features: ['amount'],
    });
  });
  it('a one-field feature over a wrong key or value', () => {
    feature('f', { entity: user, source: totals, key: 'user_id', value: 'total', type: t.float32 });
    // @ts-expect-error total is no int64 key
    feature('f', { entity: user, source: totals, key: 'total', value: 'total' });
    // @ts-expect-error there is no column nope
    feature('f', { entity: user, source: totals, key: 'user_id', value: 'nope' });
  });
  it('a validation rule or a key over a column that is not there', () => {
    featureSet('x', {
      store: lake,
      inputs: { events },
      timestampField: 'at',
      schema: { at: t.timestamp, total: t.float64 },
      build: sql`SELECT 1 FROM ${events}`,
      // @ts-expect-error there is no column nope
      validate: [notNull('nope')],
    });
    featureSet('x', {
      store: lake,
      inputs: { events },
      timestampField: 'at',
      schema: { at: t.timestamp, total: t.float64 },
      build: sql`SELECT 1 FROM ${events}`,
      validate: [
        warn(notNull('total')),
        rowCountChange({ min: 0.5, max: 2 }),
        warn(noSchemaDrift()),
        freshness('2d'),
        // @ts-expect-error there is no column nope
        warn(notNull('nope')),
      ],
    });
  });
  it('rows of a TypeScript build that do not fit the schema', () => {
    featureSet('x', {
      store: lake,
      inputs: { events },
      timestampField: 'at',
      schema: { at: t.timestamp, total: t.int64 },
      build: async function* ({ inputs }) {
        for await (const row of inputs.events.rows()) {
          expectTypeOf(row.user_id).toEqualTypeOf<bigint | null>();
          expectTypeOf(row.at).toEqualTypeOf<Timestamp | null>();
          yield { at: row.at, total: row.user_id };
        }
      },
    });
    featureSet('x', {
      store: lake,
      inputs: { events },
      timestampField: 'at',
      schema: { at: t.timestamp, total: t.int64 },
      // @ts-expect-error total must be a bigint
      build: async function* ({ inputs }) {
        for await (const row of inputs.events.rows()) yield { at: row.at, total: 1.5 };
      },
    });
  });
  it('a label over a wrong column', () => {
    label('l', { entity: user, source: events, key: 'user_id', value: 'fraud', timestampField: 'at' });
    // @ts-expect-error there is no column nope
    label('l', { entity: user, source: events, key: 'user_id', value: 'nope' });
    // @ts-expect-error customer is a text, user_id an int64
    label('l', {
      source: events,
      value: 'fraud',
      entities: { buyer: { entity: user, keys: { user_id: 'customer' } } },
    });
  });
  it('a feature that a view does not have', () => {
    // @ts-expect-error there is no feature nope
    view.select('nope');
  });
});

describe('what is inferred', () => {
  const fraud = label('fraud', {
    entity: user,
    source: events,
    key: 'user_id',
    value: 'fraud',
    timestampField: 'at',
  });
  it('the rows of a training set', async () => {
    const set = trainingSet('fraud_training', {
      label: fraud,
      features: [view.select('total'), view.for('user')],
    });
    const rows = await ({} as GranaryClient).trainingSet(set);
    for await (const row of rows.rows()) {
      expectTypeOf(row.total).toEqualTypeOf<number | null>();
      expectTypeOf(row.user__n).toEqualTypeOf<number | null>();
      expectTypeOf(row.fraud).toEqualTypeOf<boolean | null>();
      // @ts-expect-error it has no such column
      void row.nope;
    }
  });
  it('columns of lags, and of names that two views or the label have', async () => {
    const other = featureView('other', { entities: [user], source: totals, features: ['n'] });
    const named = label('total', { entity: user, source: events, key: 'user_id', value: 'fraud' });
    const set = trainingSet('clashing', { label: named, features: [view, other.lag('7d'), other] });
    for await (const row of (await ({} as GranaryClient).trainingSet(set)).rows()) {
      expectTypeOf(row.totals__total).toEqualTypeOf<number | null>();
      expectTypeOf(row.totals__n).toEqualTypeOf<number | null>();
      expectTypeOf(row.other__n).toEqualTypeOf<number | null>();
      expectTypeOf(row.n_lag_7d).toEqualTypeOf<number | null>();
      expectTypeOf(row.total).toEqualTypeOf<boolean | null>();
      // @ts-expect-error two views have it, so each has the view's name before it
      void row.n;
    }
  });
  it('the examples of a training set: label and features, in order and by name', async () => {
    const set = trainingSet('fraud_training', { label: fraud, features: [view.select('total')] });
    for await (const { features, label: value } of ({} as GranaryClient).trainingSet(set)) {
      expectTypeOf(value).toEqualTypeOf<boolean | null>();
      expectTypeOf(features.named.total).toEqualTypeOf<number | null>();
      expectTypeOf(features[0]).toEqualTypeOf<number | null | undefined>();
      // @ts-expect-error the label is no feature
      void features.named.fraud;
    }
    for await (const row of ({} as GranaryClient).featureSet(totals))
      expectTypeOf(row.n).toEqualTypeOf<number | null>();
  });
  it('the features of rows of the caller, by the names that their columns get', async () => {
    const other = featureView('other', { entities: [user], source: totals, features: ['n'] });
    const client = {} as GranaryClient;
    const plain = client.historicalFeatures({
      entityRows: 'rows.csv',
      features: [view.select('total'), other.lag('7d')],
    });
    for await (const row of plain) {
      expectTypeOf(row.total).toEqualTypeOf<number | null>();
      expectTypeOf(row.n_lag_7d).toEqualTypeOf<number | null>();
      // What a file holds beside them nobody knows before it is read.
      expectTypeOf(row['note']).toEqualTypeOf<unknown>();
    }
    const taken = client.historicalFeatures({
      entityRows: [{ user_id: 1n, total: 'mine' }],
      features: [view, other],
    });
    for await (const row of taken) {
      expectTypeOf(row.totals__total).toEqualTypeOf<number | null>();
      expectTypeOf(row.other__n).toEqualTypeOf<number | null>();
    }
    const full = client.historicalFeatures({
      entityRows: [{ user_id: 1n }],
      features: [view, other.for('guest')],
      fullFeatureNames: true,
    });
    for await (const row of full.rows()) {
      expectTypeOf(row.totals__n).toEqualTypeOf<number | null>();
      expectTypeOf(row.other__guest__n).toEqualTypeOf<number | null>();
    }
    for await (const row of client.historicalFeatures({ entityRows: [], features: ['totals:n', view] }))
      expectTypeOf(row).toEqualTypeOf<Readonly<Record<string, unknown>>>();
    // @ts-expect-error rows are a path, an Arrow table or objects
    client.historicalFeatures({ entityRows: 7, features: [view] });
  });
  it('one entity gives one list of values, several give several', async () => {
    const one = await ({} as GranaryClient).features([view, 'other:x'], { user_id: 1n });
    expectTypeOf(one.named).toExtend<Readonly<Record<string, unknown>>>();
    const many = await ({} as GranaryClient).features([view], { user_id: [1n, 2n] });
    expectTypeOf(many).toBeArray();
    expectTypeOf(many[0]?.named['user:total']).toEqualTypeOf<number | null | undefined>();
  });
  it('the declared type where it is narrower than the column', () => {
    const narrow = feature('f', { entity: user, source: totals, key: 'user_id', value: 'n', type: t.int64 });
    expectTypeOf(narrow.types).toEqualTypeOf<{ readonly f: 'int64' } | undefined>();
    const wide = label('l', { entity: user, source: totals, key: 'user_id', value: 'n', type: t.int64 });
    expectTypeOf(wide.type).toEqualTypeOf<'int64'>();
  });
  it('online values', async () => {
    const [row] = await ({} as GranaryClient).features(view, [{ user_id: 1n }]);
    expectTypeOf(row?.values.total).toEqualTypeOf<number | null | undefined>();
    // @ts-expect-error an int64 key is a bigint
    await ({} as GranaryClient).features(view, [{ user_id: 'x' }]);
  });
});
