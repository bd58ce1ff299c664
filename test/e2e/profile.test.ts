import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  defineProject,
  featureView,
  freshness,
  fromEnv,
  intervalStart,
  label,
  localFiles,
  maxNullRate,
  noSchemaDrift,
  pipeline,
  range,
  redisStore,
  rowCount,
  rowCountChange,
  sql,
  t,
  trainingSet,
  warn,
  type Profile,
  type Project,
  type ValidationRule,
} from 'granary';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { GranaryClient } from '../../client/index.js';
import { bank } from '../fixtures/bank.js';
import { lake, online, SALES, sales, shop, totalsOf, user, writeSales } from '../fixtures/shop.js';
import { failureOf } from '../support/failure.js';
import { createWorld, type World } from '../support/world.js';

vi.setConfig({ testTimeout: 240_000 });
let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `r${randomBytes(5).toString('hex')}`;

interface Metadata {
  readonly profile: Profile;
  readonly validation: readonly object[];
  readonly run: { readonly version: string; readonly validation?: readonly object[] };
}

/** metadata.json of the newest version in a folder of a lake. */
async function newestMetadata(folder: string): Promise<Metadata> {
  const versions = (await readdir(folder)).filter((name) => name.startsWith('v_')).sort();
  const text = await readFile(join(folder, versions.at(-1) ?? '', 'metadata.json'), 'utf8');
  return JSON.parse(text) as Metadata;
}

describe('a profile', () => {
  it('stands in metadata.json, in the registry and in the description, of feature sets and training sets', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const { project, lake: address } = await shop(name, folder);
    await world.withWorker(project, async (client) => {
      for (const date of ['2026-01-01', '2026-01-02'])
        await (await client.run('shop_daily', { date })).result();
      const { profile, validation } = await newestMetadata(join(address, 'totals'));
      const all = (value: unknown) => ({
        ...{ p01: value, p05: value, p25: value, p50: value, p75: value, p95: value, p99: value },
      });
      const id = '9007199254740993';
      expect(profile).toEqual({
        rows: 3,
        columns: [
          {
            ...{ name: 'user_id', type: 'int64', nulls: 0, nullRate: 0, min: '1', max: id },
            mean: (1 + 2 + 9007199254740993) / 3,
            quantiles: { ...all(id), p01: '1', p05: '1', p25: '1', p50: '2' },
            top: ['1', '2', id].map((value) => ({ value, count: 1 })),
          },
          {
            ...{ name: 'event_timestamp', type: 'timestamp', nulls: 0, nullRate: 0 },
            ...{ min: '2026-01-03T00:00:00Z', max: '2026-01-03T00:00:00Z' },
            quantiles: all('2026-01-03T00:00:00Z'),
            top: [{ value: '2026-01-03T00:00:00Z', count: 3 }],
          },
          {
            ...{ name: 'total', type: 'float64', nulls: 0, nullRate: 0, nan: 0, min: 1, max: 30 },
            ...{ mean: 36.5 / 3, quantiles: { ...all(30), p01: 1, p05: 1, p25: 1, p50: 5.5 } },
            top: [1, 5.5, 30].map((value) => ({ value, count: 1 })),
          },
          {
            ...{ name: 'n', type: 'int64', nulls: 0, nullRate: 0, min: '1', max: '2', mean: 4 / 3 },
            quantiles: { ...all('2'), p01: '1', p05: '1', p25: '1', p50: '1' },
            top: [
              { value: '1', count: 2 },
              { value: '2', count: 1 },
            ],
          },
        ],
      });
      expect(validation).toEqual([
        {
          ...{ rule: { rule: 'notNull', column: 'total' }, passed: true, severity: 'fail', observed: 0 },
          message: 'total: 0 of 3 rows are NULL',
        },
      ]);
      expect((await client.resources.describe('source/totals')).profile?.profile).toEqual(profile);
      // User 1 bought on the 2nd and has a row of the 1st; user 2 has none yet.
      const set = (await newestMetadata(join(address, 'training_sets', 'large_purchases'))).profile;
      expect(set.columns.at(-1)).toEqual({
        ...{ name: 'large', type: 'bool', nulls: 0, nullRate: 0, min: false, max: true },
        top: [
          { value: false, count: 1 },
          { value: true, count: 1 },
        ],
      });
      // From the interval's end, which is the event time of the totals, to the purchase.
      const age = 36_000.000001;
      expect(set.joins).toEqual([
        {
          ...{ view: 'totals for user', columns: ['total', 'n'], matched: 1, matchRate: 0.5 },
          age: { min: age, median: age, max: age },
        },
      ]);
      const described = await client.resources.describe('large_purchases');
      expect(described.profile?.profile).toEqual(set);
      const first = described.versions.at(-1)?.version ?? '';
      expect((await client.resources.profile('large_purchases', first))?.profile.joins).toMatchObject([
        { matched: 0 },
      ]);
    });
  });

  it('goes with the bytes that a rollback puts back', async () => {
    const { project, folder, lake: address } = await ruled({ totals: [rowCount({ min: 1 })] });
    await world.withWorker(project, async (client) => {
      await run(client, '2026-01-02');
      const { profile, validation } = (await client.resources.profile('source/totals')) ?? {};
      await writeSales(folder, MANY);
      await run(client, '2026-01-02');
      expect((await client.resources.profile('source/totals'))?.profile.rows).toBe(13);
      await (await client.rollback('totals')).result();
      const found = await client.resources.profile('source/totals');
      expect(profile?.rows).toBe(3);
      expect([found?.profile, found?.validation]).toEqual([profile, validation]);
      expect((await newestMetadata(join(address, 'totals'))).profile).toEqual(profile);
    });
  });

  it('of rows in a database is the same, and a view over rows without a time is told to be constant', async () => {
    const name = unique();
    const schema = `${name}_data`;
    await world.pg.query(`CREATE SCHEMA ${schema};
      CREATE TABLE ${schema}.transactions AS SELECT * FROM (VALUES
        ('C1', 10.5::numeric(12, 2), timestamp '2026-01-01 10:00:00', false), ('C1', 20, '2026-01-01 11:00:00', true),
        ('C2', 5.25, '2026-01-01 12:00:00', false)) t (customerid, transactionamount, "timestamp", isfraud)`);
    const { project } = bank(name, schema);
    world.uses(project);
    await world.withWorker(project, async (client) => {
      await (await client.run('bank_daily', { date: '2026-01-01' })).result();
      const { profile } = (await client.resources.describe('average_user_transaction')).profile ?? {};
      expect(profile).toMatchObject({
        rows: 2,
        columns: [
          { name: 'user_id', min: 'C1', max: 'C2' },
          { name: 'avg_transaction_amt', min: 5.25, max: 15.25, mean: 10.25, quantiles: { p50: 5.25 } },
        ],
      });
      const training = (await client.resources.describe('fraud_training')).profile?.profile;
      expect(training?.columns.map(({ name: column }) => column)).toEqual([
        ...['customerid', 'timestamp', 'avg_transactions', 'last_amount', 'fraudulent'],
      ]);
      expect(training?.columns.at(-1)?.top).toEqual([
        { value: false, count: 2 },
        { value: true, count: 1 },
      ]);
      expect(training?.joins).toMatchObject([
        { matched: 3, matchRate: 1, constant: "constant: may contain the label's future" },
        { matched: 3, matchRate: 1 },
      ]);
      expect(training?.joins?.[1]).not.toHaveProperty('constant');
      expect(await world.registry(project, 'SELECT * FROM {schema}.step_facts')).toEqual([]);
    });
    await world.pg.query(
      `DROP SCHEMA ${schema} CASCADE; DROP SCHEMA IF EXISTS granary_${name}_dev_offline CASCADE`,
    );
  });
});

interface Ruled {
  readonly project: Project;
  readonly folder: string;
  readonly lake: string;
}

/** Totals of sales with their last sale's time, and a training set of the day's sales, each with rules. */
async function ruled(
  rules: {
    readonly totals?: readonly ValidationRule[];
    readonly set?: readonly ValidationRule<string>[];
  },
  rows = SALES,
): Promise<Ruled> {
  const name = unique();
  const folder = join(world.folder, name);
  await writeSales(folder, rows);
  const totals = totalsOf({
    build: sql`SELECT user_id, max(sold_at) AS event_timestamp, sum(amount) AS total, count(*) AS n FROM ${sales} GROUP BY user_id`,
    validate: rules.totals ?? [],
  });
  const view = featureView('totals', { entities: [user], source: totals, features: ['total'], online });
  const purchases = lake.sql('purchases', {
    query: sql`SELECT user_id, sold_at, amount > 15 AS large FROM ${sales} WHERE sold_at >= ${intervalStart}`,
    lookback: '0d',
    timestampField: 'sold_at',
    schema: { user_id: t.int64, sold_at: t.timestamp, large: t.bool },
  });
  const large = label('large', {
    ...{ entity: user, source: purchases, key: 'user_id', value: 'large', timestampField: 'sold_at' },
  });
  const set = trainingSet('checked', {
    ...{ label: large, features: [view], include: ['timestamp'], validate: rules.set ?? [] },
  });
  const daily = pipeline('shop_daily', {
    targets: [set],
    schedule: { cron: '0 0 * * *' },
    startDate: '2026-01-01',
    retries: { max: 0, delay: '1s' },
  });
  const project = defineProject({
    name,
    resources: [daily],
    environments: {
      dev: {
        registry: { url: fromEnv('DATABASE_URL') },
        bind: {
          raw: localFiles(join(folder, 'raw')),
          lake: localFiles(join(folder, 'lake')),
          online: redisStore({ url: fromEnv('REDIS_URL') }),
        },
      },
    },
  });
  return { project, folder, lake: join(folder, 'lake') };
}

const run = async (client: GranaryClient, date: string) =>
  (await client.run('shop_daily', { date })).result();

/** Sales with another column, and with one of another type. */
const DRIFTED = `SELECT *, 'web' AS channel FROM (${SALES})`;
const WIDER = `SELECT user_id, sold_at, amount, 1::INTEGER AS extra FROM (${SALES})`;
const NARROWER = `SELECT user_id, sold_at, amount, 1::SMALLINT AS extra FROM (${SALES})`;
const MANY = `SELECT * FROM (${SALES}) UNION ALL SELECT range + 100, TIMESTAMP '2026-01-02 12:00:00', 1.0 FROM range(10)`;

/** A rule, what the source holds on the second day, and why the rule does not hold then. */
const RULES: readonly [
  what: string,
  rule: ValidationRule<never>,
  days: { readonly first?: string; readonly second: string; readonly date?: string },
  says: RegExp,
][] = [
  [
    'more rows than the version before allows',
    rowCountChange({ max: 2 }),
    { second: MANY },
    /13 rows, 6\.5 times the 2 of 2026-01-01; expected within \(-inf, 2\]/,
  ],
  [
    'a column that nobody declared',
    noSchemaDrift(),
    { second: DRIFTED },
    /source\/sales\.\w+: "channel" was added \(VARCHAR\).*apply the definition under a new variant/,
  ],
  [
    'a column that is gone',
    noSchemaDrift(),
    { first: DRIFTED, second: SALES },
    /"channel" was removed \(VARCHAR\)/,
  ],
  [
    'a column of another type that nobody declared',
    noSchemaDrift(),
    { first: WIDER, second: NARROWER },
    /"extra" is SMALLINT and was INTEGER/,
  ],
  [
    'rows that are too old',
    freshness('1d'),
    { second: SALES, date: '2026-01-03' },
    /event_timestamp: the newest is 2026-01-02T12:00:00Z, expected within 1d before 2026-01-04T00:00:00Z/,
  ],
];

describe('a rule', () => {
  it.each(RULES)(
    'that finds %s stops publication, and the version before stays',
    async (_, rule, days, says) => {
      const { project, folder, lake: address } = await ruled({ totals: [rule] }, days.first);
      await world.withWorker(project, async (client) => {
        await run(client, '2026-01-01');
        const pointer = await readFile(join(address, 'totals', 'latest.json'), 'utf8');
        await writeSales(folder, days.second);
        const failure = await failureOf(run(client, days.date ?? '2026-01-02'));
        expect(failure.type).toBe('ValidationFailed');
        expect(failure.message).toMatch(says);
        expect(failure.message).toMatch(/was not published.*The previous version stays/s);
        expect(await readFile(join(address, 'totals', 'latest.json'), 'utf8')).toBe(pointer);
        expect((await client.resources.versions('source/totals')).length).toBe(1);
        expect(await world.registry(project, 'SELECT * FROM {schema}.step_facts')).toEqual([]);
      });
    },
  );

  it('that only warns lets the version pass, and says so in the result, in metadata.json and in the description', async () => {
    const rules = RULES.map(([, rule]) => rule);
    const {
      project,
      folder,
      lake: address,
    } = await ruled({
      totals: [...new Set(rules.map(({ rule }) => rule))].map((kind) =>
        warn(rules.find(({ rule }) => rule === kind) as ValidationRule<never>),
      ),
    });
    await world.withWorker(project, async (client) => {
      expect((await run(client, '2026-01-01')).steps.every(({ warnings }) => warnings === undefined)).toBe(
        true,
      );
      const first = await newestMetadata(join(address, 'totals'));
      expect([first.validation, first.run.validation]).toMatchObject([
        [{ rule: { rule: 'freshness' }, passed: true, severity: 'warn' }],
        [
          { rule: { rule: 'rowCountChange' }, passed: true, message: '2 rows, the first version' },
          { rule: { rule: 'noSchemaDrift' }, passed: true, observed: 0 },
        ],
      ]);
      await writeSales(folder, `SELECT *, 'web' AS channel FROM (${MANY})`);
      const { steps } = await run(client, '2026-01-03');
      expect(steps.find(({ step }) => step.startsWith('source/totals'))?.warnings).toEqual([
        expect.stringMatching(/13 rows, 6\.5 times/),
        expect.stringMatching(/"channel" was added/),
        expect.stringMatching(/expected within 1d/),
      ]);
      const { validation = [] } = (await client.resources.describe('source/totals')).profile ?? {};
      expect(validation.map(({ passed, rule }) => [rule.rule, rule.severity, passed])).toEqual([
        ['rowCountChange', 'warn', false],
        ['noSchemaDrift', 'warn', false],
        ['freshness', 'warn', false],
      ]);
      const second = await newestMetadata(join(address, 'totals'));
      expect(second.validation).toMatchObject([{ passed: false, severity: 'warn', observed: 129_600 }]);
      expect(second.run.validation).toMatchObject([{ observed: 6.5 }, { observed: 1 }]);
    });
  });

  it('of a training set is judged before its rows are staged', async () => {
    const {
      project,
      folder,
      lake: address,
    } = await ruled({
      set: [
        rowCount({ min: 1 }),
        warn(maxNullRate('total', 0)),
        freshness('1d'),
        range('total', { max: 15 }),
      ],
    });
    await world.withWorker(project, async (client) => {
      await run(client, '2026-01-01');
      const { validation } = (await client.resources.describe('checked')).profile ?? {};
      expect(validation?.map(({ passed }) => passed)).toEqual([true, true, true, true]);
      await writeSales(
        folder,
        `SELECT * FROM (${SALES}) UNION ALL SELECT 1, TIMESTAMP '2026-01-02 11:00:00', 1`,
      );
      const failure = await failureOf(run(client, '2026-01-02'));
      expect(failure.message).toMatch(
        /checked for 2026-01-02 was not published: total: \d of 3 rows (is|are) outside/,
      );
      expect(failure.message).not.toMatch(/NULL/);
      expect((await readdir(join(address, 'training_sets', 'checked'))).length).toBe(1);
      expect((await client.resources.versions('checked')).length).toBe(1);
    });
  });

  it('over rows in a database stops publication as well, of a transformation and of a training set', async () => {
    const name = unique();
    const schema = `${name}_data`;
    await world.pg.query(`CREATE SCHEMA ${schema};
      CREATE TABLE ${schema}.transactions (customerid text, transactionamount numeric(12, 2), "timestamp" timestamp, isfraud boolean);
      INSERT INTO ${schema}.transactions VALUES ('C1', 10, '2026-01-01 10:00', false), ('C1', 10, '2026-01-02 10:00', true), ('C1', 90, '2026-01-03 10:00', true)`);
    const { project } = bank(name, schema, {
      rules: { average: [noSchemaDrift()], training: [freshness('1d'), range('last_amount', { max: 50 })] },
    });
    world.uses(project);
    const versions = async (client: GranaryClient): Promise<number[]> => [
      (await client.resources.versions('average_user_transaction')).length,
      (await client.resources.versions('fraud_training')).length,
    ];
    const bankRun = async (client: GranaryClient, date: string) =>
      (await client.run('bank_daily', { date })).result();
    await world.withWorker(project, async (client) => {
      for (const date of ['2026-01-01', '2026-01-02']) await bankRun(client, date);
      expect(await versions(client)).toEqual([2, 2]);
      const rows = await failureOf(bankRun(client, '2026-01-03'));
      expect(rows.message).toMatch(
        /fraud_training for 2026-01-03 was not published: last_amount: 1 of 1 row is outside/,
      );
      expect(await versions(client)).toEqual([3, 2]);
      const stale = await failureOf(bankRun(client, '2026-01-04'));
      expect(stale.message).toMatch(
        /fraud_training for 2026-01-04 was not published: timestamp: no row has one/,
      );
      await world.pg.query(`ALTER TABLE ${schema}.transactions ADD COLUMN channel varchar(8)`);
      const drift = await failureOf(bankRun(client, '2026-01-05'));
      expect(drift.message).toMatch(
        /source\/transactions\.\w+: "channel" was added \(character varying\(8\)\)/,
      );
      expect(await versions(client)).toEqual([4, 2]);
    });
    await world.pg.query(
      `DROP SCHEMA ${schema} CASCADE; DROP SCHEMA IF EXISTS granary_${name}_dev_offline CASCADE`,
    );
  });
});
