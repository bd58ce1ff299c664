import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { featureView, intervalEnd, intervalStart, label, sql, t, trainingSet } from 'granary';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { GranaryClient } from '../../client/index.js';
import { lake, sales, shop, user, type Shop } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { failureOf } from '../support/failure.js';
import { createWorld, type World } from '../support/world.js';

vi.setConfig({ testTimeout: 120_000 });

/** Two users buy every five hours, for four days. */
const SALES = `SELECT u::BIGINT AS user_id, TIMESTAMP '2026-01-01' + to_hours(CAST(5 * i + u AS INTEGER)) AS sold_at, (u * 7 + i) * 1.0::DOUBLE AS amount
  FROM range(1, 3) a(u), range(18) b(i)`;
/** What came of a purchase is known two days later. */
const outcomes = lake.sql('outcomes', {
  query: sql`SELECT user_id, sold_at, sold_at + INTERVAL 2 DAY AS known_at, amount > 12 AS large FROM ${sales}
    WHERE sold_at + INTERVAL 2 DAY >= ${intervalStart} AND sold_at + INTERVAL 2 DAY < ${intervalEnd}`,
  lookback: '2d',
  timestampField: 'known_at',
  schema: { user_id: t.int64, sold_at: t.timestamp, known_at: t.timestamp, large: t.bool },
});
const spend = featureView('spend', { entities: [user], source: sales, features: ['amount'] });
const from = { entity: user, source: outcomes, key: 'user_id', value: 'large' } as const;
const late = trainingSet('late', {
  label: label('large_late', { ...from, timestampField: 'sold_at' }),
  features: [spend],
  include: ['keys', 'timestamp'],
});
const untimed = trainingSet('untimed', {
  label: label('large_ever', from),
  features: [spend],
  include: ['keys'],
});

const known = label('large_known', { ...from, timestampField: 'known_at' });
const ranges = trainingSet('ranges', { label: known, features: [spend], include: ['keys'] });
const wide = trainingSet('wide', { label: known, features: [spend], include: ['keys'] });

const at = (day: number): string => `2026-01-0${day}T00:00:00Z`;

let world: World;
let made: Shop;
let folder: string;
beforeAll(async () => {
  world = await createWorld();
  const name = `s${randomBytes(5).toString('hex')}`;
  folder = join(world.folder, name);
  made = await shop(name, folder, { rows: SALES, more: [late, untimed, ranges, wide] });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const build = async (client: GranaryClient, set: string, start: number, end: number): Promise<void> => {
  // A worker that was started a moment ago may not have polled yet.
  await vi.waitFor(() => client.requireWorker(), { timeout: 20_000 });
  await (await client.buildTrainingSet(set, { from: at(start), to: at(end) })).result();
};

/** The rows as texts of their first columns, as a multiset. */
async function rowsOf(client: GranaryClient, set: string, columns: number): Promise<string[]> {
  const rows: string[] = [];
  for await (const row of client.trainingSet(set).rows())
    rows.push(Object.values(row).slice(0, columns).map(String).join(' '));
  return rows.sort();
}

/** The same of the purchases whose outcome is known before a day. */
const purchases = async (columns: string, before: number): Promise<string[]> =>
  (
    await query(
      `SELECT ${columns} FROM '${join(folder, 'raw', 'sales.parquet')}' WHERE sold_at + INTERVAL 2 DAY < '${at(before).slice(0, 10)}'`,
    )
  )
    .map((row) => Object.values(row).map(String).join(' '))
    .sort();

describe('a training set made an interval at a time', () => {
  it('takes label rows in that were recorded after the interval of their own time', async () => {
    await world.withWorker(made.project, async (client) => {
      for (const day of [1, 2, 3, 4]) await build(client, 'late', day, day + 1);
      // No day could know what came of its own purchases.
      expect(await rowsOf(client, 'late', 2)).toEqual([]);
      const stale = await client.staleIntervals('late');
      expect(stale.map(({ interval }) => interval.start)).toEqual([1, 2, 3].map(at));
      for (const day of [1, 2, 3]) await build(client, 'late', day, day + 1);
      expect(await client.staleIntervals('late')).toEqual([]);
      const expected = await purchases(`user_id, strftime(sold_at, '%Y-%m-%dT%H:%M:%SZ') AS sold_at`, 5);
      expect(expected).toHaveLength(20);
      expect(await rowsOf(client, 'late', 2)).toEqual(expected);
    });
  });

  it('of a label without a time has all its rows in each version: the newest is read', async () => {
    await world.withWorker(made.project, async (client) => {
      for (const day of [3, 4]) await build(client, 'untimed', day, day + 1);
      expect(await rowsOf(client, 'untimed', 1)).toEqual(await purchases('user_id', 5));
    });
  });

  it('has each label row once where intervals overlap, and is refused where that cannot be', async () => {
    await world.withWorker(made.project, async (client) => {
      const daysRead = async (): Promise<string[]> =>
        (await client.trainingSet('ranges')).datasets.map(
          ({ interval: { start, end } }) => `${start.slice(8, 10)}-${end.slice(8, 10)}`,
        );
      for (const day of [3, 4]) await build(client, 'ranges', day, day + 1);
      const expected = await purchases('user_id', 5);
      expect(await rowsOf(client, 'ranges', 1)).toEqual(expected);
      // The label's source has the two days and both as one by now, too.
      await build(client, 'ranges', 3, 5);
      expect(await daysRead()).toEqual(['03-05']);
      expect(await rowsOf(client, 'ranges', 1)).toEqual(expected);
      const torn = { from: '2026-01-04T12:00:00Z', to: '2026-01-05T12:00:00Z' };
      const run = await client.buildTrainingSet('ranges', torn);
      expect((await failureOf(run.result())).message).toMatch(
        /training set ranges cannot be made for 2026-01-04T12:00:00Z..2026-01-05T12:00:00Z: it overlaps in part what is recorded, 2026-01-03/,
      );
      await build(client, 'ranges', 5, 6);
      expect(await daysRead()).toEqual(['03-05', '05-06']);
      expect(await rowsOf(client, 'ranges', 1)).toEqual(await purchases('user_id', 6));
    });
  });

  it('is refused where the versions of its label overlap in part, until one covers them', async () => {
    const name = `s${randomBytes(5).toString('hex')}`;
    const other = await shop(name, join(world.folder, name), { rows: SALES, more: [ranges, wide] });
    await world.withWorker(other.project, async (client) => {
      for (const day of [3, 4]) await build(client, 'ranges', day, day + 1);
      const torn = { from: '2026-01-04T12:00:00Z', to: '2026-01-05T12:00:00Z' };
      const run = await client.buildTrainingSet('wide', torn);
      expect((await failureOf(run.result())).message).toMatch(
        /label's source outcomes has versions whose intervals overlap in part, 2026-01-04 and 2026-01-04T12:00:00Z..2026-01-05T12:00:00Z, so that label rows would count twice\. Build one interval that covers them/,
      );
      await build(client, 'wide', 3, 6);
      expect(await rowsOf(client, 'wide', 1)).toEqual(await purchases('user_id', 6));
    });
  });
});
