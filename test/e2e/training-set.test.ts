import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { featureView, label, notNull, splitByTime, sql, trainingSet, warn, type SplitPart } from 'granary';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { GranaryClient } from '../../client/index.js';
import { sales, shop, totalsOf, user, type Shop } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { failureOf } from '../support/failure.js';
import { createWorld, type World } from '../support/world.js';

vi.setConfig({ testTimeout: 240_000 });

const SET = 'large_purchases';
const WHOLE = 'whole';
const STRICT = 'strict';
const DAYS = [1, 2, 3, 4, 5, 6].map((day) => `2026-01-0${day}`);

/** Five users buy every seven hours; the view's TTL is two days. */
const SALES = `SELECT u::BIGINT AS user_id, TIMESTAMP '2026-01-01' + to_hours(CAST(7 * i + u AS INTEGER)) AS sold_at, (u * 7 + i * 5) % 40 * 1.0::DOUBLE AS amount
  FROM range(1, 6) a(u), range(20) b(i) WHERE 7 * i + u < 144`;
const LATE = `SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-02 23:00:00' AS sold_at, 100.0::DOUBLE AS amount`;

let world: World;
let made: Shop;
let folder: string;
beforeAll(async () => {
  world = await createWorld();
  const name = `s${randomBytes(5).toString('hex')}`;
  folder = join(world.folder, name);
  const overRaw = trainingSet('over_raw', {
    label: label('amount', {
      entity: user,
      source: sales,
      key: 'user_id',
      value: 'amount',
      timestampField: 'sold_at',
    }),
    features: ['totals'],
  });
  const spend = featureView('spend', { entities: [user], source: sales, features: ['amount'] });
  const whole = trainingSet(WHOLE, {
    label: 'large',
    features: [spend, spend.lag('1d')],
    include: ['keys', 'timestamp'],
    where: sql`user_id <> 5`,
    split: splitByTime({ validation: '2026-01-03', test: '2026-01-05' }),
    validate: [notNull('amount'), warn(notNull('amount_lag_1d'))],
  });
  const strict = trainingSet(STRICT, {
    label: 'large',
    features: [spend.lag('1d')],
    validate: [notNull('amount_lag_1d')],
  });
  made = await shop(name, folder, {
    rows: SALES,
    totals: totalsOf({ lookback: '0d' }),
    more: [overRaw, whole, strict],
  });
  await world.withWorker(made.project, async (client) => {
    for (const date of DAYS) await (await client.run('shop_daily', { date })).result();
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

type Choice = NonNullable<Parameters<GranaryClient['trainingSet']>[1]>;

/** Rows as a multiset. */
async function rowsOf(client: GranaryClient, choice: Choice = {}): Promise<string[]> {
  const rows: string[] = [];
  for await (const row of (await client.trainingSet(SET, choice)).rows())
    rows.push(JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)));
  return rows.sort();
}

const build = async (
  client: GranaryClient,
  input: Parameters<GranaryClient['buildTrainingSet']>[1],
): Promise<string[]> => {
  const { steps } = await (await client.buildTrainingSet(SET, input)).result();
  return steps.map(({ step, outcome }) => `${step.replace(/\.\w+$/, '')}: ${outcome}`);
};

/** The registry's clock. */
const clock = async (): Promise<string> =>
  (
    await world.registry(
      made.project,
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
    )
  )[0]?.['at'] as string;

const staleDays = async (client: GranaryClient): Promise<string[]> =>
  (await client.staleIntervals(SET)).map(({ interval }) => interval.start.slice(0, 10));

describe('daily runs of a training set', () => {
  it('make what one whole build makes; late rows make the intervals stale that they touch, and building these restores it', async () => {
    await world.withWorker(made.project, async (client) => {
      const before = await clock();
      expect(await build(client, { asOf: before })).toEqual([`trainingSet/${SET}: made`]);
      const daily = await rowsOf(client);
      expect(daily).toHaveLength(100);
      expect(await rowsOf(client, { asOf: before })).toEqual(daily);
      expect(await staleDays(client)).toEqual([]);

      await query(`COPY (${LATE}) TO '${join(folder, 'raw', 'sales-late.parquet')}' (FORMAT parquet)`);
      await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      // The features of the 2nd are known at its end and live for two days: to the instant, until the 5th begins.
      expect(await staleDays(client)).toEqual(['2026-01-03', '2026-01-04', '2026-01-05']);
      const [stale] = await client.staleIntervals(SET);
      expect(stale?.reasons).toEqual([
        expect.stringMatching(/^source\/totals\.\w+ has other versions now of 2026-01-02$/),
      ]);
      const shown = await client.resources.versions(SET);
      expect(
        shown.filter((version) => version.stale).map(({ interval }) => interval.start.slice(8, 10)),
      ).toEqual(['05', '04', '03']);

      const after = await clock();
      await build(client, { asOf: after });
      const whole = await rowsOf(client, { asOf: after });
      expect(whole).toHaveLength(daily.length + 1);
      expect(await rowsOf(client)).not.toEqual(whole);
      for (const date of ['2026-01-03', '2026-01-04', '2026-01-05']) await build(client, { date });
      expect(await rowsOf(client)).toEqual(whole);
      expect(await staleDays(client)).toEqual([]);

      // What was recorded then is what it was then.
      expect(await build(client, { asOf: before, rebuild: true })).toEqual([`trainingSet/${SET}: made`]);
      expect(await rowsOf(client, { asOf: before })).toEqual(daily);
      expect(await build(client, { asOf: before })).toEqual([`trainingSet/${SET}: current`]);
      expect(
        (await client.trainingSet(SET)).datasets.map(({ interval }) => interval.start.slice(0, 10)),
      ).toEqual(DAYS);
    });
  });

  it('may lag, leave rows out, be divided, and warn; a rule that fails stops the version', async () => {
    await world.withWorker(made.project, async (client) => {
      const { steps } = await (await client.buildTrainingSet(WHOLE)).result();
      expect(steps.map(({ warnings }) => warnings)).toEqual([[expect.stringMatching(/amount_lag_1d/)]]);
      const shown = async (split?: SplitPart): Promise<unknown[]> => {
        const rows: unknown[] = [];
        const set = client.trainingSet(WHOLE, split === undefined ? {} : { split });
        for await (const row of (await set).rows()) rows.push(Object.values(row).map(String));
        return rows;
      };
      const purchases = `(SELECT * FROM '${join(folder, 'raw', 'sales*.parquet')}')`;
      const at = (before: string): string =>
        `(SELECT f.amount FROM ${purchases} f WHERE f.user_id = l.user_id AND f.sold_at <= l.sold_at - INTERVAL '${before}' ORDER BY f.sold_at DESC LIMIT 1)`;
      const expected = (
        await query(`SELECT CASE WHEN sold_at < '2026-01-03' THEN 'train' WHEN sold_at < '2026-01-05' THEN 'validation' ELSE 'test' END AS split,
          user_id, strftime(sold_at, '%Y-%m-%dT%H:%M:%SZ') AS sold_at, ${at('0 days')} AS now, ${at('1 day')} AS lagged, amount > 15 AS large
          FROM ${purchases} l WHERE user_id <> 5 ORDER BY user_id, sold_at`)
      ).map((row) => Object.values(row).map(String));
      expect(await shown()).toEqual(expected);
      for (const part of ['train', 'validation', 'test'] as const)
        expect(await shown(part)).toEqual(expected.filter(([split]) => split === part));
      const profile = await client.resources.profile(WHOLE);
      expect(profile?.profile.joins?.map(({ view, age }) => [view, (age?.min ?? -1) >= 0])).toEqual([
        ['spend for user', true],
        ['spend for user, 1d before', true],
      ]);
      expect(profile?.validation.map(({ passed }) => passed)).toEqual([true, false]);

      const failure = await failureOf((await client.buildTrainingSet(STRICT)).result());
      expect(failure.message).toMatch(/amount_lag_1d/);
      expect(await client.resources.versions(STRICT)).toEqual([]);
    });
  });

  const refused: readonly [what: string, set: string, input: object, message: RegExp][] = [
    [
      'over a source that has no versions, by its name',
      'over_raw',
      { asOf: '2026-01-03T00:00:00Z' },
      /training set over_raw cannot be built as of 2026-01-03T00:00:00Z: its source sales is not versioned/,
    ],
    [
      'of an instant to come',
      SET,
      { asOf: '2999-01-01' },
      /"asOf" is 2999-01-01T00:00:00Z, which lies in the future/,
    ],
    ['and a date', SET, { asOf: '2026-01-03', date: '2026-01-03' }, /goes with no "date"/],
    ['of no instant', SET, { asOf: 'yesterday' }, /yesterday/],
    [
      'from before there was anything',
      SET,
      { asOf: '2020-01-01' },
      /had no version at 2020-01-01T00:00:00Z. Ask for a later time/,
    ],
  ];
  it.each(refused)('as of a time are refused %s', async (_, set, input, message) => {
    await world.withWorker(made.project, async (client) => {
      const run = await client.buildTrainingSet(set, input);
      expect((await failureOf(run.result())).message).toMatch(message);
    });
  });
});
