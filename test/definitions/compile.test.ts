import { describe, expect, it } from 'vitest';
import {
  compile,
  defineProject,
  entity,
  featureSet,
  featureView,
  fileStore,
  fromEnv,
  label,
  localFiles,
  onlineStore,
  pipeline,
  plan,
  postgresStore,
  redisStore,
  s3,
  sql,
  t,
  trainingSet,
  type Project,
} from '../../definitions/index.js';
import type { Definition } from '../../definitions/project.js';
import { chooseEnvironment } from '../../definitions/project.js';

const lake = fileStore('lake');
const user = entity('user', { joinKeys: { user_id: t.string } });
const events = lake.parquet('events', {
  path: 'e.parquet',
  schema: { user_id: t.string, at: t.timestamp, amount: t.float64 },
  timestampField: 'at',
});
const make = (query: ReturnType<typeof sql>, more: object = {}) =>
  featureSet('totals', {
    store: lake,
    timestampField: 'at',
    schema: { user_id: t.string, at: t.timestamp, total: t.float64 },
    build: query,
    ...more,
  });
const totals = make(sql`SELECT user_id, max(at) AS at, sum(amount) AS total FROM ${events} GROUP BY user_id`);
const view = featureView('totals', {
  entities: [user],
  source: totals,
  features: ['total'],
  online: onlineStore('online'),
});
const project = (...resources: Definition[]): Project =>
  defineProject({ name: 'p', resources, environments: { dev: { bind: {} } } });
const idOf = (definition: Definition): string =>
  [...compile(project(definition)).resources.keys()].at(-1) ?? '';

describe('variants and fingerprints', () => {
  it('do not change with layout, comments or keyword case', () => {
    expect(
      idOf(
        make(sql`select USER_ID, max(at) as at, sum(amount) AS total -- all of it
      from ${events} group by user_id`),
      ),
    ).toBe(idOf(totals));
  });
  it('do not change with what is for people', () =>
    expect(
      idOf(
        make(sql`SELECT user_id, max(at) AS at, sum(amount) AS total FROM ${events} GROUP BY user_id`, {
          owner: 'me',
          tags: ['x'],
        }),
      ),
    ).toBe(idOf(totals)));
  it('change with the meaning', () =>
    expect(
      idOf(make(sql`SELECT user_id, max(at) AS at, avg(amount) AS total FROM ${events} GROUP BY user_id`)),
    ).not.toBe(idOf(totals)));
  it('change with the meaning of what lies upstream', () => {
    const other = lake.parquet('events', {
      path: 'other.parquet',
      schema: events.schema,
      timestampField: 'at',
    });
    expect(
      idOf(make(sql`SELECT user_id, max(at) AS at, sum(amount) AS total FROM ${other} GROUP BY user_id`)),
    ).not.toBe(idOf(totals));
  });
  it('are the definition’s own, else the project’s', () => {
    const own = make(sql`SELECT * FROM ${events}`, { variant: 'mine' });
    const compiled = compile(
      defineProject({
        name: 'p',
        variant: fromEnv('V'),
        resources: [own],
        environments: { dev: { bind: {} } },
      }),
      () => 'theirs',
    );
    expect([...compiled.resources.keys()]).toEqual(
      ['entity/user', 'provider/lake', 'source/events.theirs', 'source/totals.mine'].filter(
        (id) => id !== 'entity/user',
      ),
    );
  });
});

describe('plan', () => {
  it('takes in what lies upstream, in dependency order, each once', () => {
    const fraud = label('fraud', {
      entity: user,
      source: events,
      key: 'user_id',
      value: 'amount',
      timestampField: 'at',
    });
    const set = trainingSet('training', { label: fraud, features: [view] });
    const daily = pipeline('daily', {
      targets: [set, view],
      schedule: { cron: '0 0 * * *' },
      startDate: '2026-01-01',
    });
    const compiled = compile(project(daily));
    const { steps } = plan(compiled.resources, compiled.pipelines.get('daily')?.targets ?? [], {
      start: 'a',
      end: 'b',
    });
    expect(
      steps.map(({ kind, name, dependsOn }) => [kind, name, dependsOn.map((id) => id.replace(/\..*/, ''))]),
    ).toEqual([
      ['build', 'totals', []],
      ['trainingSet', 'training', ['source/totals']],
      ['materialize', 'totals', ['source/totals']],
    ]);
  });
});

describe('what is refused', () => {
  const bad: [string, () => unknown, RegExp][] = [
    [
      'two definitions of one name',
      () => compile(project(totals, make(sql`SELECT 1 FROM ${events}`))),
      /Two different definitions are named source\/totals/,
    ],
    [
      'a plain text that does not list its inputs',
      () => compile(project(make('SELECT * FROM {{events}}' as never))),
      /refers to \{\{events\}\}, which is not among its inputs/,
    ],
    [
      'an unknown source by name',
      () =>
        compile(project(make('SELECT * FROM {{evnts}}' as never, { inputs: { evnts: 'evnts' } }), events)),
      /no source "evnts"\. Did you mean "events"\?/,
    ],
    ['SQL that reads nothing', () => compile(project(make(sql`SELECT 1`))), /reads no source/],
    ['a name with __', () => fileStore('a__b'), /Leave out "__"/],
    ['a name that ends in _', () => entity('a_', { joinKeys: { k: t.string } }), /"_" at the end/],
    [
      'a float as join key',
      () => entity('a', { joinKeys: { k: t.float64 as never } }),
      /a key must be one of/,
    ],
    [
      'no event_timestamp',
      () =>
        featureSet('x', {
          store: lake,
          timestampField: 'event_timestamp' as never,
          schema: { user_id: t.string },
          build: sql`SELECT 1 FROM ${events}`,
        }),
      /has no event timestamp.*event_timestamp: t\.timestamp/,
    ],
    ['a password in a URL', () => redisStore({ url: 'redis://:secret@host' }), /holds a password.*fromEnv/],
    [
      'a password in a Postgres URL',
      () => postgresStore({ url: 'postgres://u:secret@host/db' }),
      /holds a password/,
    ],
    ['a text in sql', () => sql`SELECT ${'x' as never}`, /write texts as SQL literals/],
    [
      'a view that no role of the label fits',
      () =>
        trainingSet('s', {
          label: label('l', {
            entity: entity('e', { joinKeys: { other: t.string } }),
            source: events,
            key: 'user_id',
            value: 'amount',
          }),
          features: [view],
        }),
      /no entity with the join keys user_id/,
    ],
    [
      'an environment that is not there',
      () => chooseEnvironment(project(view), 'prod'),
      /no environment "prod"\. Environments of p: dev/,
    ],
    [
      'prod by default',
      () =>
        chooseEnvironment(
          defineProject({ name: 'p', resources: [], environments: { prod: { bind: {} } } }),
          undefined,
        ),
      /Choose an environment/,
    ],
    [
      'two environments that write to one folder',
      () =>
        compile(
          defineProject({
            name: 'p',
            resources: [totals],
            environments: {
              dev: { bind: { lake: localFiles('data/lake') } },
              prod: { bind: { lake: localFiles('./data/lake/') } },
            },
          }),
        ),
      /environments dev and prod both write to the folder/,
    ],
    [
      'two environments that write to one place in a bucket',
      () =>
        compile(
          defineProject({
            name: 'p',
            resources: [totals],
            environments: {
              dev: { bind: { lake: s3({ bucket: 'lakes', prefix: 'shop' }) } },
              prod: { bind: { lake: s3({ bucket: 'lakes', prefix: 'shop/', region: 'eu-west-1' }) } },
            },
          }),
        ),
      /environments dev and prod both write to s3:\/\/lakes\/shop\. Give each a prefix of its own/,
    ],
    ['a name that no bucket has', () => s3({ bucket: 'Lakes' }), /"Lakes" is not a bucket's name/],
    [
      'a prefix with a / before it',
      () => s3({ bucket: 'lakes', prefix: '/shop' }),
      /"\/shop" is not a prefix/,
    ],
    [
      'an endpoint without a scheme',
      () => s3({ bucket: 'lakes', endpoint: 'localhost:8333' }),
      /not an endpoint.*https:\/\/s3\.example\.com/,
    ],
    [
      'keys in an endpoint',
      () => s3({ bucket: 'lakes', endpoint: 'https://key:secret@s3.example.com' }),
      /Keep it out of the code/,
    ],
    ['a cache without bytes', () => s3({ bucket: 'lakes', cache: { maxBytes: 0 } }), /cache\.maxBytes is 0/],
    [
      'a circle',
      () =>
        compile(
          project(
            featureSet('a', {
              store: lake,
              inputs: { b: 'b' } as never,
              timestampField: 'at',
              schema: { at: t.timestamp },
              build: 'SELECT * FROM {{b}}',
            }),
            featureSet('b', {
              store: lake,
              inputs: { a: 'a' } as never,
              timestampField: 'at',
              schema: { at: t.timestamp },
              build: 'SELECT * FROM {{a}}',
            }),
          ),
        ),
      /in a circle: source\/a -> source\/b -> source\/a/,
    ],
  ];
  it.each(bad)('%s', (_, act, message) => expect(act).toThrow(message));

  it('does not tell the password', () =>
    expect(() => redisStore({ url: 'redis://:hunter2@host' })).not.toThrow(/hunter2/));
});
