import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refuseLeaks, trainingPlan } from '../../activities/training-set-plan.js';
import { askedViews, joinedViews, keyColumns } from '../../client/joined-features.js';
import { resourceOf } from '../../definitions/resource-of.js';
import {
  compile,
  defineProject,
  entity,
  featureView,
  fileStore,
  label,
  t,
  trainingSet,
  type Schema,
} from '../../definitions/index.js';
import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import type { FeatureReference } from '../../client/feature-vectors.js';
import type { FileRelation, JoinedView, PointInTimeJoin } from '../../providers/offline/provider.js';
import type { RegisteredResource } from '../../registry/resources.js';
import { fileJoins, type JoinEngine } from '../support/offline-join.js';

const lake = fileStore('lake');
const user = entity('user', { joinKeys: { user_id: t.int64 } });
const ROWS = { user_id: t.int64, at: t.timestamp, v: t.int64, w: t.int64 } as const;
const view = featureView('view', {
  entities: [user],
  source: lake.parquet('rows', { path: 'r.parquet', schema: ROWS, timestampField: 'at' }),
  features: ['v', 'w'],
});
const LABELS = { user_id: t.int64, at: t.timestamp, y: t.int64 } as const;
const labels = lake.parquet('labels', { path: 'l.parquet', schema: LABELS, timestampField: 'at' });
const bought = label('bought', {
  ...{ entity: user, key: 'user_id', source: labels, value: 'y', timestampField: 'at' },
});
const set = (features: readonly unknown[]): unknown => trainingSet('s', { label: bought, features } as never);

/** The definitions as a registry has them. */
function registered(definitions: readonly unknown[]): ReadonlyMap<string, RegisteredResource> {
  const { resources } = compile(
    defineProject({ name: 'p', resources: definitions as never, environments: { dev: { bind: {} } } }),
  );
  const more = { location: '', isDefault: true, promotion: 1, status: 'READY' } as const;
  return new Map([...resources].map(([id, resource]) => [id, { ...resource, ...more }]));
}

let engine: JoinEngine<FileRelation>;
let placed: { readonly labels: FileRelation; readonly rows: FileRelation };
beforeAll(async () => {
  engine = await fileJoins(duckdbOfflineProvider());
  placed = {
    labels: await engine.place('labels', LABELS, [{ user_id: 1n, at: '2026-01-02 12:00', y: 0n }]),
    // Of the rows of one instant, the greatest of one column is not the greatest of the other.
    rows: await engine.place('rows', ROWS, [
      { user_id: 1n, at: '2026-01-01 12:00', v: 11n, w: 19n },
      { user_id: 1n, at: '2026-01-01 12:00', v: 12n, w: 11n },
      { user_id: 1n, at: '2026-01-02 12:00', v: 1n, w: 9n },
      { user_id: 1n, at: '2026-01-02 12:00', v: 2n, w: 1n },
    ]),
  };
});
afterAll(() => engine.close());

/** The columns of the one row that a join makes. */
async function joined(
  views: readonly Omit<JoinedView, 'relation'>[],
  schema: Schema,
  spine: Partial<PointInTimeJoin['spine']> = {},
): Promise<Record<string, unknown>> {
  const { rows, statistics } = await engine.join({
    spine: { columns: [], orderBy: [], timestampField: 'at', ...spine, relation: placed.labels },
    views: views.map((one) => ({ ...one, relation: placed.rows })),
    output: { name: 'training set s', schema, keys: [] },
  });
  expect(statistics.matched).toEqual(views.map(() => 1));
  const values = rows[0] ?? [];
  return Object.fromEntries(Object.keys(schema).map((name, i) => [name, values[i]]));
}

describe('features of one view that are asked for one by one', () => {
  const cases: readonly [what: string, features: readonly unknown[], names: string[], row: object][] = [
    ['are those of one row', [view.select('v'), view.select('w')], ['view'], { v: 2n, w: 1n }],
    ['by name, too', ['view:v', 'view:w'], ['view'], { v: 2n, w: 1n }],
    [
      'stand in the order in which they were asked for, which decides nothing',
      [view.select('w'), view.select('v')],
      ['view'],
      { w: 1n, v: 2n },
    ],
    ['nor does it within a selection', [view.select('w', 'v')], ['view'], { w: 1n, v: 2n }],
    [
      'are those of one row at each lag, however it is written',
      [view.select('w').lag('1d'), view.select('v'), view.select('v').lag('24h'), view.select('w')],
      ['view, 1d before', 'view'],
      { w_lag_1d: 11n, v: 2n, v_lag_24h: 12n, w: 1n },
    ],
  ];

  it.each(cases)('in a training set: %s', async (_, features, names, row) => {
    // Whoever names a view by a text has it in the project.
    const resources = registered([set(features), view]);
    const found = [...resources.values()].find(({ kind }) => kind === 'trainingSet');
    const plan = trainingPlan(resources, resourceOf(resources, found?.id ?? '', 'trainingSet'));
    const made = await joined(plan.views, plan.schema, plan.spine);
    expect(Object.entries(made)).toEqual(Object.entries({ ...row, bought: 0n }));
    expect(plan.views.map(({ name }) => name.replace(' for user', ''))).toEqual(names);
  });

  it.each(cases)("with a caller's own rows: %s", async (_, features, names, row) => {
    const { schema, views } = joinedViews(
      askedViews(registered([view]), features as readonly FeatureReference[]),
      { user_id: 'int64' },
      false,
    );
    const asked = views.map((one) => one.view);
    expect(Object.entries(await joined(asked, schema))).toEqual(Object.entries(row));
    expect(views.length).toBe(names.length);
  });
});

describe('the leakage check', () => {
  const check = (knownAt: boolean, leaked: number, createdLater: number[]): void => {
    const resources = registered([set([view])]);
    const found = [...resources.values()].find(({ kind }) => kind === 'trainingSet');
    const { name, spec } = resourceOf(resources, found?.id ?? '', 'trainingSet');
    refuseLeaks({ name, spec: { ...spec, ...(knownAt ? { knownAt } : {}) } }, { leaked, createdLater });
  };
  it.each<[what: string, knownAt: boolean, leaked: number, createdLater: number[], says: RegExp | undefined]>(
    [
      ['passes what is from before', true, 0, [0, 0], undefined],
      ['passes what was created later, where that is not asked', false, 0, [3, 0], undefined],
      ['refuses what happened later', false, 1, [0], /set s joined 1 values from after their label's time/],
      [
        'refuses what was created later under knownAt, of whichever view',
        true,
        0,
        [0, 2],
        /set s has knownAt, but joined 2 values that were created after their label's time; nothing was stored/,
      ],
    ],
  )('%s', (_, knownAt, leaked, createdLater, says) => {
    if (says === undefined) check(knownAt, leaked, createdLater);
    else
      expect(() => {
        check(knownAt, leaked, createdLater);
      }).toThrow(says);
  });
});

describe("a column of the caller's rows that two views join on", () => {
  const by = (name: string, type: 'int32' | 'int64' | 'string') =>
    featureView(name, {
      entities: [entity(`${name}_thing`, { joinKeys: { id: type } })],
      source: lake.parquet(`${name}_rows`, { path: 'i.parquet', schema: { id: type, f: t.int64 } }),
      features: ['f'],
    } as never);
  const columns = (...views: readonly ReturnType<typeof by>[]) =>
    keyColumns(askedViews(registered(views), views));

  it.each([
    ['of one type', 'string', 'string', 'string'],
    ['of two whole numbers is the narrower', 'int64', 'int32', 'int32'],
    ['whichever comes first', 'int32', 'int64', 'int32'],
  ] as const)('%s', (_, a, b, type) => {
    expect(columns(by('a', a), by('b', b)).get('id')?.type).toBe(type);
  });
  it('is refused where it must be a number and a text', () => {
    expect(() => columns(by('a', 'int64'), by('b', 'string'))).toThrow(
      /column "id" of the entity rows cannot be a join key of the view a \(int64\) and of the view b \(string\).*\.for\('\.\.\.'\) reads the columns <role>__id/,
    );
  });
});

it('a label may have larger keys than the view can have: these match nothing', async () => {
  const small = entity('small', { joinKeys: { user_id: t.int32 } });
  const schema = { user_id: t.int32, at: t.timestamp, v: t.int64 } as const;
  const source = lake.parquet('small_rows', { path: 'w.parquet', schema, timestampField: 'at' });
  const narrow = featureView('narrow', { entities: [small], source, features: ['v'] });
  const resources = registered([set([narrow])]);
  const found = [...resources.values()].find(({ kind }) => kind === 'trainingSet');
  const plan = trainingPlan(resources, resourceOf(resources, found?.id ?? '', 'trainingSet'));
  const [at, earlier] = ['2026-01-02 12:00', '2026-01-01 12:00'];
  const spine = await engine.place('labels', LABELS, [
    { user_id: 2n ** 53n + 1n, at, y: 1n },
    { user_id: 1n, at, y: 0n },
  ]);
  const relation = await engine.place('small_rows', schema, [{ user_id: 1n, at: earlier, v: 7n }]);
  const { rows } = await engine.join({
    spine: { ...plan.spine, relation: spine },
    views: plan.views.map((one) => ({ ...one, relation })),
    output: { name: 'training set s', schema: plan.schema, keys: [] },
  });
  expect(rows).toEqual([
    [7n, 0n],
    [null, 1n],
  ]);
});
