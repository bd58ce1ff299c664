import { describe, expect, it } from 'vitest';
import {
  compile,
  defineProject,
  entity,
  featureView,
  fileStore,
  label,
  maxNullRate,
  postgresProvider,
  splitByEntity,
  splitByTime,
  sql,
  t,
  trainingSet,
} from '../../definitions/index.js';
import type { Definition } from '../../definitions/project.js';
import { trainingColumns } from '../../definitions/training-set.js';

const lake = fileStore('lake');
const user = entity('user', { joinKeys: { user_id: t.int64 } });
const shop = entity('shop', { joinKeys: { shop_id: t.string } });
const sales = lake.parquet('sales', {
  path: 's.parquet',
  schema: { user_id: t.int64, buyer: t.int64, shop_id: t.string, at: t.timestamp, amount: t.float64 },
  timestampField: 'at',
});
const totals = lake.parquet('totals', {
  path: 't.parquet',
  schema: { user_id: t.int64, at: t.timestamp, written: t.timestamp, total: t.float64, n: t.int32 },
  timestampField: 'at',
  createdTimestampField: 'written',
});
const people = lake.parquet('people', { path: 'p.parquet', schema: { user_id: t.int64, n: t.int32 } });
const view = featureView('totals', { entities: [user], source: totals, features: ['total', 'n'] });
const constant = featureView('people', { entities: [user], source: people, features: ['n'] });
/** Its time is called as a feature of another view. */
const seen = lake.parquet('seen', {
  path: 'n.parquet',
  schema: { user_id: t.int64, total: t.timestamp, amount: t.float64 },
  timestampField: 'total',
});
const parted = featureView('parted', {
  entities: [user],
  source: lake.parquet('parts', { path: 'q.parquet', schema: { user_id: t.int64, split: t.string } }),
  features: ['split'],
});
const onlyAt = featureView('sales', { entities: [user], source: sales, features: ['amount'] });
const plain = {
  entity: user,
  source: sales,
  key: 'user_id',
  value: 'amount',
  timestampField: 'at',
} as const;
const spent = label('spent', plain);
const untimed = label('untimed', { entity: user, source: sales, key: 'user_id', value: 'amount' });
const both = label('both', {
  source: sales,
  value: 'amount',
  timestampField: 'at',
  entities: {
    seller: { entity: user, keys: { user_id: 'user_id' } },
    buyer: { entity: user, keys: { user_id: 'buyer' } },
    shop: { entity: shop, keys: { shop_id: 'shop_id' } },
  },
});

/** What a caller without types may write. */
const loose = (options: object): never => options as never;
const specOf = (set: Definition): object => {
  const { resources } = compile(
    defineProject({ name: 'p', resources: [set], environments: { dev: { bind: {} } } }),
  );
  return [...resources.values()].find((r) => r.kind === 'trainingSet')?.spec ?? {};
};

describe('the columns of a training set', () => {
  const cases: readonly [what: string, options: object, columns: string][] = [
    ['are the features in definition order, then the label', { features: [view] }, 'total n spent'],
    [
      'have the keys and the timestamp before the features, where asked',
      { features: [view.select('n', 'total')], include: ['timestamp', 'keys'] },
      'user_id at n total spent',
    ],
    [
      'bear the name of the view where two views have a feature of that name',
      { features: [view, constant] },
      'total totals__n people__n spent',
    ],
    [
      'bear the name of the view where the label has that name',
      { label: label('total', plain), features: [view] },
      'totals__total n total',
    ],
    [
      'bear the name of the view in every case of letters',
      { label: label('TOTAL', plain), features: [view] },
      'totals__total n TOTAL',
    ],
    [
      'bear the name of the view where a column that the set carries has that name',
      {
        label: label('seen', { ...plain, source: seen, timestampField: 'total' }),
        features: [view],
        include: ['timestamp'],
      },
      'total totals__total n seen',
    ],
    [
      'bear the name of the view where the set has a column split of its own',
      { features: [parted], split: splitByTime({ test: '2026-02-01' }) },
      'split parted__split spent',
    ],
    ['are plain where it has none', { features: [parted] }, 'split spent'],
    ['bear the role', { label: both, features: [view.for('buyer')] }, 'buyer__total buyer__n both'],
    [
      'tell lags of one feature apart',
      { features: [view.select('n'), view.select('n').lag('1d'), view.select('n').lag('2 h')] },
      'n n_lag_1d n_lag_2h spent',
    ],
    [
      'bear role and lag',
      { label: both, features: [view.for('buyer'), view.for('buyer').lag('1d')] },
      'buyer__total buyer__n buyer__total_lag_1d buyer__n_lag_1d both',
    ],
    [
      'begin with the split',
      { features: [view], include: ['keys'], split: splitByTime({ test: '2026-02-01' }) },
      'split user_id total n spent',
    ],
  ];
  it.each(cases)('%s', (_, options, columns) => {
    const set = trainingSet('s', loose({ label: spent, ...options }));
    expect(trainingColumns(set).join(' ')).toBe(columns);
  });
});

describe('what a training set says', () => {
  const cases: readonly [what: string, options: object, spec: object][] = [
    ['nothing of what it does not have', {}, { include: [] }],
    ['its filter', { where: sql`amount > ${0}` }, { where: 'amount > 0' }],
    [
      'its filter with texts that look like more',
      { where: `shop_id IN ('a;b', '{{a}}') -- {{a}}; too` },
      { where: `shop_id IN ('a;b', '{{a}}') -- {{a}}; too` },
    ],
    [
      'its filter as SQL, with such texts',
      { where: sql`"{{a}};" = $x$;{{a}}$x$ /* ; */` },
      { where: `"{{a}};" = $x$;{{a}}$x$ /* ; */` },
    ],
    ['its filter as text', { where: ' amount > 0 ' }, { where: 'amount > 0' }],
    [
      'a split by time, in UTC',
      { split: splitByTime({ validation: '2026-01-01', test: '2026-02-01T09:00:00+09:00' }) },
      { split: { by: 'time', validation: '2026-01-01T00:00:00Z', test: '2026-02-01T00:00:00Z' } },
    ],
    [
      'a split by entity, with the role',
      { split: splitByEntity({ validation: 0.1, test: 0.2 }) },
      { split: { by: 'entity', validation: 0.1, test: 0.2, role: 'user', seed: '' } },
    ],
    [
      'what is asked of its inputs',
      { knownAt: true, requireTimestamps: true },
      { knownAt: true, requireTimestamps: true },
    ],
    [
      'its rules',
      { validate: [maxNullRate('total', 0.5)] },
      { validate: [{ rule: 'maxNullRate', column: 'total', rate: 0.5 }] },
    ],
  ];
  it.each(cases)('%s', (_, options, spec) => {
    const found = specOf(trainingSet('s', loose({ label: spent, features: [view], ...options })));
    expect(found).toMatchObject(spec);
    const optional = ['where', 'split', 'knownAt', 'requireTimestamps', 'validate'];
    expect(Object.keys(found).filter((name) => optional.includes(name))).toEqual(
      optional.filter((name) => name in spec),
    );
  });
  it('the same of a filter however it is laid out', () => {
    const print = (where: string): string | undefined =>
      [
        ...compile(
          defineProject({
            name: 'p',
            resources: [trainingSet('s', { label: spent, features: [view], where })],
            environments: { dev: { bind: {} } },
          }),
        ).resources.values(),
      ].find((r) => r.kind === 'trainingSet')?.fingerprint;
    expect(print('amount > 0 AND n = 1')).toBe(print('amount>0  and n=1 -- all'));
    expect(print('amount > 0')).not.toBe(print('amount > 1'));
  });
  it('a lag of a view that is given by its name', () => {
    const late = featureView('by_name', loose({ entities: ['user'], source: 'totals', features: ['n'] }));
    const set = trainingSet('s', { label: spent, features: [view, late.lag('1d')] });
    const { resources } = compile(
      defineProject({ name: 'p', resources: [set, late, totals, user], environments: { dev: { bind: {} } } }),
    );
    const found = [...resources.values()].find((r) => r.kind === 'trainingSet')?.spec;
    expect(found).toMatchObject({
      features: [{}, { lag: '1d', columns: [{ feature: 'n', as: 'n_lag_1d' }] }],
    });
  });
});

/** Entities that have a join key of one name, of several types. */
const idOf = (name: string, type: 'int32' | 'int64' | 'string') => entity(name, { joinKeys: { id: type } });
const idView = (type: 'int32' | 'int64' | 'string') =>
  featureView('by_id', {
    entities: [idOf('thing', type)],
    source: lake.parquet('by_id', { path: 'i.parquet', schema: { id: type, f: t.int64 } }),
    features: ['f'],
  } as never);
const idLabel = (...types: readonly ('int32' | 'int64' | 'string')[]) =>
  label('ids', {
    source: lake.parquet('ids', {
      path: 'k.parquet',
      schema: { y: t.int64, ...Object.fromEntries(types.map((type, i) => [`id${i}`, type])) },
    }),
    value: 'y',
    entities: Object.fromEntries(
      types.map((type, i) => [`role${i}`, { entity: idOf(`thing${i}`, type), keys: { id: `id${i}` } }]),
    ),
  } as never);

describe("the label's entity that a view joins on", () => {
  it.each<[what: string, label: unknown, view: ReturnType<typeof idView>, role: string]>([
    [
      'may be another one with a join key of that name and type',
      idLabel('string'),
      idView('string'),
      'role0',
    ],
    ['may have a narrower whole number', idLabel('int32'), idView('int64'), 'role0'],
    ['may have a wider whole number', idLabel('int64'), idView('int32'), 'role0'],
    ['is the one of several that has the type', idLabel('string', 'int64'), idView('int64'), 'role1'],
  ])('%s', (_, given, by, role) => {
    expect(specOf(trainingSet('s', loose({ label: given, features: [by] })))).toMatchObject({
      features: [{ role }],
    });
  });
});

describe('a column whose name is longer than 63 bytes', () => {
  const warehouse = postgresProvider('warehouse');
  const schema = { user_id: t.int64, at: t.timestamp, amount: t.float64 } as const;
  const [spends, rows] = ['spends', 'rows'].map((name) =>
    warehouse.table(name, { schema, timestampField: 'at' }),
  );
  const setOf = (feature: string, options: object = {}) =>
    trainingSet(
      's',
      loose({
        label: label('spent', loose({ ...plain, source: spends })),
        features: [
          featureView(
            'wide',
            loose({ entities: [user], source: rows, features: { [feature]: { column: 'amount' } } }),
          ),
        ],
        ...options,
      }),
    );
  it('is refused where Postgres would make the set and cut the name off', () => {
    expect(() => specOf(setOf('f'.repeat(64)))).toThrow(
      /training set s: the column "f{64}" has a name of 64 bytes, and Postgres.*keeps 63 at most.*fileStore/,
    );
    expect(specOf(setOf('f'.repeat(63)))).toMatchObject({ engine: 'postgres' });
  });
  it('is a name as any other in files', () => {
    expect(specOf(setOf('f'.repeat(64), { store: lake }))).not.toHaveProperty('engine');
  });
});

describe('a training set is refused', () => {
  const cases: readonly [what: string, act: () => unknown, message: RegExp][] = [
    [
      'with a view of another entity, of which only the name of the join key is the same',
      () => trainingSet('s', loose({ label: idLabel('string'), features: [idView('int64')] })),
      /set s: the join key "id" of the view by_id is int64, but that of the entity thing0 of the label ids is string\. Where/,
    ],
    [
      'with a view for a role of which only the name of the join key is the same',
      () =>
        trainingSet(
          's',
          loose({ label: idLabel('string', 'int64'), features: [idView('int64').for('role0')] }),
        ),
      /the join key "id" of the view by_id is int64, but that of the entity thing0 of the label ids is string/,
    ],
    [
      'with knownAt over a source without a created timestamp',
      () => trainingSet('s', { label: spent, features: [onlyAt], knownAt: true }),
      /training set s has knownAt, but the source sales of the view sales has no createdTimestampField/,
    ],
    [
      'with knownAt for a label without a time',
      () => trainingSet('s', { label: untimed, features: [view], knownAt: true }),
      /its label untimed has no timestampField/,
    ],
    [
      'with requireTimestamps over a constant view',
      () => trainingSet('s', { label: spent, features: [constant], requireTimestamps: true }),
      /the view people is constant: its source people has no timestampField/,
    ],
    [
      'with requireTimestamps for a label without a time',
      () => trainingSet('s', { label: untimed, features: [view], requireTimestamps: true }),
      /its label untimed has no timestampField, so it takes the newest features/,
    ],
    [
      'with a filter that reads another source',
      () => trainingSet('s', { label: spent, features: [view], where: sql`amount IN (FROM ${sales})` }),
      /its "where" refers to the source sales/,
    ],
    [
      'with a filter of several statements',
      () => trainingSet('s', { label: spent, features: [view], where: 'true; DROP TABLE x' }),
      /Give one SQL condition/,
    ],
    [
      'with an empty filter',
      () => trainingSet('s', { label: spent, features: [view], where: ' ' }),
      /its "where" is empty/,
    ],
    [
      'with a split by time of a label without one',
      () =>
        trainingSet('s', { label: untimed, features: [view], split: splitByTime({ test: '2026-01-01' }) }),
      /is split by time, but its label untimed has no timestampField/,
    ],
    [
      'with a split by entity that names none of several roles',
      () =>
        trainingSet('s', { label: both, features: [view.for('buyer')], split: splitByEntity({ test: 0.2 }) }),
      /name the role whose entities are split.*seller, buyer, shop/,
    ],
    [
      'with a split whose shares are too large',
      () => splitByEntity({ test: 0.9, validation: 0.1 }),
      /below 1/,
    ],
    ['with a split that tests nothing', () => splitByEntity({ test: 0 }), /must be above 0/],
    [
      'with a validation after the test',
      () => splitByTime({ validation: '2026-02-01', test: '2026-01-01' }),
      /must lie before test/,
    ],
    ['with a lag that is none', () => view.lag('0s'), /a lag of 0s is none/],
    ['with a lag that is no duration', () => view.lag('soon'), /"soon" is not a duration/],
    ['with a lag of a lag', () => view.lag('1d').lag('1h'), /lag by 1d already/],
    [
      'with a rule for a column that it does not have',
      () => trainingSet('s', { label: spent, features: [view], validate: [maxNullRate('nope', 0)] }),
      /the rule maxNullRate names the column "nope". Columns: total, n, spent/,
    ],
    [
      'with one feature twice',
      () => trainingSet('s', { label: spent, features: [view, view.select('n')] }),
      /two columns "totals__n"/,
    ],
  ];
  it.each(cases)('%s', (_, act, message) => {
    expect(act).toThrow(message);
  });
});
