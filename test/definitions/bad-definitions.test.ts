import { describe, expect, it } from 'vitest';
import { planApply } from '../../definitions/apply-plan.js';
import { contractOf, contractText, parseContract } from '../../definitions/contract-file.js';
import {
  compile,
  defineProject,
  entity,
  featureSet,
  featureView,
  fileStore,
  freshness,
  intervalEnd,
  intervalStart,
  label,
  localFiles,
  maxNullRate,
  notNull,
  onlineStore,
  pipeline,
  postgresStore,
  redisStore,
  rowCountChange,
  s3,
  sql,
  t,
  trainingSet,
  type Project,
} from '../../definitions/index.js';
import type { Definition } from '../../definitions/project.js';

const lake = fileStore('lake');
const online = onlineStore('online');
const schema = { user_id: t.int64, at: t.timestamp, amount: t.float64, note: t.string } as const;
const sales = lake.parquet('sales', { path: 's.parquet', schema, timestampField: 'at' });
const user = entity('user', { joinKeys: { user_id: t.int64 } });
const pair = entity('pair', { joinKeys: { a: t.int64, b: t.int64 } });
const totals = lake.sql('totals', {
  query: sql`SELECT user_id, max(at) AS at, sum(amount) AS total FROM ${sales} GROUP BY user_id`,
  timestampField: 'at',
  schema: { user_id: t.int64, at: t.timestamp, total: t.float64 },
});
const view = featureView('totals', { entities: [user], source: totals, features: ['total'], online });
const amount = label('amount', {
  entity: user,
  source: sales,
  key: 'user_id',
  value: 'amount',
  timestampField: 'at',
});
const set = trainingSet('training', { label: amount, features: [view] });

/** What a caller without types may write. */
const loose = (options: object): never => options as never;
const projectOf = (...resources: Definition[]): Project =>
  defineProject({ name: 'p', resources, environments: { dev: { bind: {} } } });
const daily = (over: object): Definition =>
  pipeline(
    'daily',
    loose({ targets: [view], schedule: { cron: '0 0 * * *' }, startDate: '2026-01-01', ...over }),
  );
const withSql = (query: unknown, over: object = {}): Definition =>
  lake.sql('derived', loose({ query, schema: { user_id: t.int64 }, ...over }));
const planned = (...resources: Definition[]): unknown => {
  const project = projectOf(...resources);
  return planApply(contractOf(compile(project), project.environments), new Map(), []);
};

/** What is wrong, how somebody writes it, and what Granary says. */
const CASES: readonly (readonly [what: string, write: () => unknown, message: RegExp])[] = [
  [
    'a name with two underscores',
    () => entity('user__id', { joinKeys: { id: t.int64 } }),
    /The entity name "user__id" is not allowed\. Leave out "__": it joins a view and a field/,
  ],
  [
    'a name that begins with an underscore',
    () => entity('_user', { joinKeys: { id: t.int64 } }),
    /"_user" is not allowed\..*a letter first/,
  ],
  [
    'a name that ends with an underscore',
    () => onlineStore('online_'),
    /The online store name "online_" is not allowed\. Leave out the "_" at the end/,
  ],
  [
    'a name with a dot',
    () => fileStore('my.lake'),
    /The file store name "my\.lake" is not allowed\. Use letters, digits/,
  ],
  [
    "a word of Granary's own",
    () => lake.parquet('latest', { path: 'x', schema }),
    /"latest" is a word of Granary's own; choose another/,
  ],
  [
    'a variant with a dot',
    () => compile(projectOf(lake.parquet('s', { path: 'x', schema, variant: 'v1.2' }))),
    /The variant "v1\.2" of source s is not allowed/,
  ],
  [
    'an entity without a join key',
    () => entity('nobody', { joinKeys: {} }),
    /The entity nobody has no join key\. Write joinKeys: \{ user_id: t\.string \}/,
  ],
  [
    'a join key that is a fraction',
    () => entity('user', loose({ joinKeys: { id: t.float64 } })),
    /the join key "id" is float64; a key must be one of/,
  ],
  [
    'a source without columns',
    () => lake.csv('empty', { path: 'x', schema: {} }),
    /The schema of source empty is empty\. Declare its columns/,
  ],
  [
    'a column of an unknown type',
    () => lake.csv('c', loose({ path: 'x', schema: { a: 'decimal' } })),
    /column "a" has the unknown type "decimal"\. Use t\.int64/,
  ],
  [
    'columns that differ by case',
    () => lake.csv('c', { path: 'x', schema: { a: t.int64, A: t.int64 } }),
    /the column "A" is declared twice/,
  ],
  [
    'a column whose name is a whole number',
    () => lake.csv('c', { path: 'x', schema: { a: t.int64, '2024': t.int64 } }),
    /source c: the column name "2024" is not allowed: JavaScript moves .* Give it another name, such as "c2024"/,
  ],
  [
    "a column name of Granary's own",
    () => lake.csv('c', { path: 'x', schema: { __row: t.int64 } }),
    /the column name "__row" is not allowed/,
  ],
  [
    'a timestamp field that is no column',
    () => lake.csv('c', loose({ path: 'x', schema, timestampField: 'when' })),
    /there is no column "when"\. Columns: user_id, at, amount, note/,
  ],
  [
    'a time at which rows became known, where they have no time',
    () => lake.csv('c', { path: 'x', schema, createdTimestampField: 'at' }),
    /source c has a createdTimestampField, .* but no timestampField\. .* name "at" as timestampField/,
  ],
  [
    'a timestamp field of another type',
    () => lake.csv('c', loose({ path: 'x', schema, timestampField: 'note' })),
    /the column "note" is string; it must be timestamp/,
  ],
  [
    'a feature set without an event timestamp',
    () => featureSet('f', loose({ store: lake, schema: { a: t.int64 }, build: sql`SELECT 1 FROM ${sales}` })),
    /The feature set f has no event timestamp/,
  ],
  [
    'a TypeScript build without inputs',
    () => featureSet('f', loose({ store: lake, schema, timestampField: 'at', build: async function* () {} })),
    /built by TypeScript: list what it reads in inputs/,
  ],
  [
    'SQL that reads no source',
    () => compile(projectOf(withSql(sql`SELECT 1 AS user_id`))),
    /The SQL of the transformation derived reads no source\. Interpolate one/,
  ],
  [
    'SQL with a name that is not among the inputs',
    () => compile(projectOf(sales, withSql('SELECT user_id FROM {{sales}}'))),
    /refers to \{\{sales\}\}, which is not among its inputs\. List it: inputs: \{ sales \}/,
  ],
  [
    'an input that is misspelt',
    () => compile(projectOf(sales, withSql('SELECT user_id FROM {{s}}', { inputs: { s: 'slaes' } }))),
    /there is no source "slaes"\. Did you mean "sales"\?/,
  ],
  [
    'SQL that interpolates a text',
    () => sql`SELECT ${loose('x' as never)}`,
    /sql: value 1 is a string; interpolate sources.*write texts as SQL literals/,
  ],
  [
    'SQL that interpolates infinity',
    () => sql`SELECT ${Number.POSITIVE_INFINITY}`,
    /only finite numbers can/,
  ],
  [
    'sources that read each other',
    () =>
      compile(
        projectOf(
          lake.sql('a', { query: 'SELECT x FROM {{b}}', inputs: { b: 'b' }, schema: { x: t.int64 } }),
          lake.sql('b', { query: 'SELECT x FROM {{a}}', inputs: { a: 'a' }, schema: { x: t.int64 } }),
        ),
      ),
    /Sources depend on each other in a circle: source\/a -> source\/b -> source\/a/,
  ],
  [
    'two definitions of one name',
    () => compile(projectOf(sales, lake.csv('sales', { path: 'y', schema }))),
    /Two different definitions are named source\/sales\. .*rename one, or give one a variant/,
  ],
  [
    'a rule over a column that is not there',
    () =>
      featureSet(
        'f',
        loose({
          store: lake,
          schema,
          timestampField: 'at',
          build: sql`SELECT 1 FROM ${sales}`,
          validate: [notNull('nope')],
        }),
      ),
    /validate notNull: there is no column "nope"/,
  ],
  [
    'freshness of rows without a time',
    () => lake.sql('f', loose({ query: sql`SELECT 1 FROM ${sales}`, schema, validate: [freshness('2d')] })),
    /The rule freshness of the transformation f needs the time of its rows: name it as its timestampField/,
  ],
  [
    'freshness of a training set that does not carry its time',
    () =>
      trainingSet('s', {
        label: label('l', {
          ...{ entity: user, source: sales, key: 'user_id', value: 'amount', timestampField: 'at' },
        }),
        features: [view],
        validate: [freshness('2d')],
      }),
    /The rule freshness of the training set s needs the time of its rows: .*include: \['timestamp'\]/,
  ],
  ['freshness without a unit', () => freshness('2'), /"2" is not a duration/],
  ['a change of rows without a bound', () => rowCountChange({}), /rowCountChange needs a min or a max/],
  [
    'a change of rows below nothing',
    () => rowCountChange({ min: -1 }),
    /min and max are ratios, such as \{ min: 0\.5, max: 2 \}; -1 is below 0/,
  ],
  ['a rate above one', () => maxNullRate('a', 1.5), /the rate must be between 0 and 1/],
  [
    'a duration without a unit',
    () => featureView('v', loose({ entities: [user], source: totals, features: ['total'], ttl: '7' })),
    /"7" is not a duration\. Write a whole number and a unit/,
  ],
  [
    'a view without an entity',
    () => featureView('v', loose({ entities: [], source: totals, features: ['total'] })),
    /The feature view v has no entity/,
  ],
  [
    'a view without features',
    () => featureView('v', loose({ entities: [user], source: totals, features: [] })),
    /The feature view v has no features/,
  ],
  [
    'a view whose source lacks the join key',
    () => featureView('v', loose({ entities: [pair], source: totals, features: ['total'] })),
    /join key a: there is no column "a"/,
  ],
  [
    'a feature that is the join key',
    () => featureView('v', loose({ entities: [user], source: totals, features: ['user_id'] })),
    /"user_id" is a join key, which every reader has already/,
  ],
  [
    'a type that would lose digits',
    () =>
      featureView(
        'v',
        loose({ entities: [user], source: totals, features: { total: { column: 'total', type: t.int32 } } }),
      ),
    /declared int32 over the float64 column "total"\. Only float64 -> float32 and int32 -> int64/,
  ],
  [
    'a feature that is not in the view',
    () => view.select(loose('totl' as never)),
    /has no feature "totl"\. Features: total/,
  ],
  [
    'a label over a column that is not there',
    () => label('l', loose({ entity: user, source: sales, key: 'user_id', value: 'fraud' })),
    /label l: there is no column "fraud"/,
  ],
  [
    'a label of an entity with several keys',
    () => label('l', loose({ entity: pair, source: sales, key: 'user_id', value: 'amount' })),
    /pair has several join keys; write entities/,
  ],
  [
    'a training set whose label lacks the entity',
    () =>
      compile(
        projectOf(
          trainingSet('s', {
            label: label(
              'l',
              loose({
                entity: entity('other', { joinKeys: { id: t.int64 } }),
                source: sales,
                key: 'user_id',
                value: 'amount',
              }),
            ),
            features: [view],
          }),
        ),
      ),
    /the label l has no entity with the join keys user_id of the view totals/,
  ],
  [
    'a training set with one column twice',
    () => compile(projectOf(trainingSet('s', { label: amount, features: [view, view] }))),
    /would have two columns "totals__total"/,
  ],
  ['a pipeline without targets', () => daily({ targets: [] }), /The pipeline daily has no targets/],
  ['a lookback that is no number', () => daily({ lookback: '3d' }), /lookback must be a whole number/],
  ['an empty deadline', () => daily({ deadline: {} }), /deadline of the pipeline daily is empty/],
  [
    'a warning after the end',
    () => daily({ deadline: { warn: '2h', cancel: '2h' } }),
    /warns after 2h, which is not before it cancels/,
  ],
  ['a deadline that is no duration', () => daily({ deadline: 'soon' }), /"soon" is not a duration/],
  [
    'an overlap policy that there is none of',
    () => daily({ schedule: { cron: '0 0 * * *', overlap: 'queue' } }),
    /no overlap policy "queue".*skip, bufferOne/,
  ],
  [
    'a pause on failure that Temporal would not keep to',
    () => daily({ schedule: { cron: '0 0 * * *', overlap: 'allowAll', pauseOnFailure: true } }),
    /pauseOnFailure would do nothing.*skip, bufferOne, bufferAll, cancelOther\./,
  ],
  [
    'a catch-up that is no duration',
    () => daily({ schedule: { cron: '0 0 * * *', catchup: true } }),
    /"true" is not a duration/,
  ],
  [
    'a pipeline with six cron fields',
    () => daily({ schedule: { cron: '0 0 0 * * *' } }),
    /must have five fields, such as "0 0 \* \* \*"/,
  ],
  [
    'a pipeline that ends before it starts',
    () => daily({ endDate: '2025-01-01' }),
    /endDate 2025-01-01 is not after startDate/,
  ],
  [
    'a pipeline with half a retry',
    () => daily({ retries: { max: 0.5 } }),
    /retries\.max must be a whole number from 0, not 0\.5/,
  ],
  [
    'a target that is misspelt',
    () => compile(projectOf(view, daily({ targets: ['view/totls'] }))),
    /there is no feature view "totls"\. Did you mean "totals"\?/,
  ],
  [
    'SQL that needs an interval where no pipeline gives one',
    () =>
      planned(
        withSql(sql`SELECT user_id FROM ${sales} WHERE at >= ${intervalStart} AND at < ${intervalEnd}`),
      ),
    /The SQL of derived uses intervalStart or intervalEnd, but no pipeline schedules it/,
  ],
  [
    'a password in the address of Redis',
    () => redisStore({ url: 'redis://:s3cret@cache:6379' }),
    /redisStore: the URL holds a password\. Keep it out of the code: write fromEnv/,
  ],
  [
    'a password in the address of Postgres',
    () => postgresStore({ url: 'postgres://me:s3cret@db/x' }),
    /postgresStore: the URL holds a password/,
  ],
  [
    'a project without an environment',
    () => defineProject({ name: 'p', resources: [], environments: {} }),
    /The project p has no environment/,
  ],
  [
    'environments that write to one place',
    () =>
      compile(
        defineProject({
          name: 'p',
          resources: [set, totals],
          environments: {
            dev: { bind: { lake: localFiles('data') } },
            prod: { bind: { lake: localFiles('./data/') } },
          },
        }),
      ),
    /The environments dev and prod both write to the folder data\. Give each a folder of its own/,
  ],
  ['a bucket that cannot be', () => s3({ bucket: 'My_Bucket' }), /"My_Bucket" is not a bucket's name/],
  [
    'an endpoint without its scheme',
    () => s3({ bucket: 'data', endpoint: 's3.example.com' }),
    /"s3\.example\.com" is not an endpoint\. Write its whole address/,
  ],
];

describe('a bad definition', () => {
  it.each(CASES)('%s is told with the place and the remedy', (_, write, message) => {
    expect(write).toThrow(
      expect.objectContaining({
        name: 'GranaryError',
        code: expect.stringMatching(/^(InvalidDefinition|UnknownResource)$/),
        message: expect.stringMatching(message),
      }),
    );
  });

  it('never repeats a password', () => {
    for (const make of [redisStore, postgresStore])
      expect(() => make({ url: 'redis://u:s3cret@h' })).toThrow(expect.not.stringContaining('s3cret'));
  });
});

describe('a contract', () => {
  const project = defineProject({
    name: 'p',
    variant: 'demo',
    resources: [view, set],
    environments: {
      dev: { bind: { lake: localFiles('data'), online: redisStore({ url: { env: 'REDIS' } }) } },
    },
  });
  const text = contractText(contractOf(compile(project), project.environments));

  it('is the same text each time, is read back as it was, and holds secrets as references', () => {
    expect(contractText(parseContract(text, 'c.json'))).toBe(text);
    expect(text).toContain('"url":{"env":"REDIS"}');
  });

  it.each([
    ['is cut off', text.slice(0, -20), /c\.json is not JSON\. Write it anew: granary compile -o c\.json/],
    [
      'is of another format',
      text.replace('"format": 1', '"format": 2'),
      /is not a contract that this version of Granary reads/,
    ],
    ['is some other JSON', '[]', /is not a contract/],
    [
      'was edited by hand',
      text.replace('sum(amount)', 'max(amount)'),
      /was edited: the fingerprint of source\/totals\.demo is not that of its definition/,
    ],
    [
      'lacks what is referred to',
      text.replace(/^.*"id":"entity\/user".*\n/m, ''),
      /lacks entity\/user, which view\/totals\.demo refers to/,
    ],
    [
      'holds a password',
      text.replace('{"env":"REDIS"}', '"redis://:s3cret@h"'),
      /c\.json, environment dev, online: the URL holds a password/,
    ],
  ])('that %s is refused', (_, wrong, message) => {
    expect(wrong).not.toBe(text);
    expect(() => parseContract(wrong, 'c.json')).toThrow(
      expect.objectContaining({ code: 'InvalidDefinition', message: expect.stringMatching(message) }),
    );
  });
});
