import { tableFromArrays } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { featureSet, fileStore, interval, notNull, sql, t, Timestamp } from '../../definitions/index.js';
import { airportFeatures } from '../../examples/flights/granary.js';
import { runOnFixtures } from '../../testing/index.js';

const lake = fileStore('lake');
const sales = lake.parquet('sales', {
  path: 's.parquet',
  schema: { user_id: t.int64, sold_at: t.timestamp, amount: t.float64 },
  timestampField: 'sold_at',
});
const day = interval('2026-01-02', '2026-01-03');
const totals = {
  store: lake,
  inputs: { sales },
  keys: ['user_id'] as const,
  timestampField: 'event_timestamp' as const,
  schema: { user_id: t.int64, event_timestamp: t.timestamp, total: t.float64 },
};

describe('runOnFixtures', () => {
  it('runs SQL for an interval: rows at its end or outside the lookback do not count', async () => {
    const rows = await runOnFixtures(airportFeatures, {
      interval: interval('2001-03-04', '2001-03-05'),
      inputs: {
        flights: [
          { date: '2001-03-04T10:00:00Z', delay: 20n, distance: 100n, origin: 'AAA', destination: 'BBB' },
          {
            date: '2001-03-04T23:59:59.999999Z',
            delay: 99n,
            distance: 100n,
            origin: 'AAA',
            destination: 'BBB',
          },
          { date: '2001-03-05T00:00:00Z', delay: 99n, distance: 100n, origin: 'AAA', destination: 'BBB' },
          { date: '2001-02-20T00:00:00Z', delay: 99n, distance: 100n, origin: 'AAA', destination: 'BBB' },
        ],
      },
    }).catch((error: unknown) => String(error));
    // One airport is too few for the example's own rule, which fixtures obey as well.
    expect(rows).toMatch(/1 row, expected within \[100/);
    const small = featureSet('small', {
      ...totals,
      build: sql`SELECT user_id, max(sold_at) AS event_timestamp, sum(amount) AS total FROM ${sales} GROUP BY user_id`,
      lookback: '1d',
    });
    const found = await runOnFixtures(small, {
      interval: day,
      inputs: {
        sales: [
          { user_id: 1n, sold_at: '2026-01-01T00:00:00Z', amount: 1 },
          { user_id: 1n, sold_at: '2026-01-02T23:59:59.999999Z', amount: 2 },
          { user_id: 1n, sold_at: '2026-01-03T00:00:00Z', amount: 4 },
          { user_id: 1n, sold_at: '2025-12-31T23:59:59.999999Z', amount: 8 },
        ],
      },
    });
    expect(found).toEqual([
      { user_id: 1n, event_timestamp: Timestamp.from('2026-01-02T23:59:59.999999Z'), total: 3 },
    ]);
  });

  it('runs TypeScript builds: rows, lists of rows and Arrow tables, ordered by key', async () => {
    const build = featureSet('mixed', {
      ...totals,
      build: async function* ({ inputs, interval: { end } }) {
        for await (const row of inputs.sales.rows())
          yield { user_id: row.user_id, event_timestamp: Timestamp.from(end), total: row.amount };
        yield [{ user_id: 7n, event_timestamp: Timestamp.from(end), total: null }];
        yield tableFromArrays({
          user_id: BigInt64Array.from([5n]),
          event_timestamp: [new Date(end)],
          total: Float64Array.from([0.5]),
        });
      },
    });
    const rows = await runOnFixtures(build, {
      interval: day,
      inputs: { sales: [{ user_id: 9n, sold_at: '2026-01-02', amount: 1.5 }] },
    });
    expect(rows.map((row) => [row.user_id, row.total, String(row.event_timestamp)])).toEqual([
      [5n, 0.5, '2026-01-03T00:00:00Z'],
      [7n, null, '2026-01-03T00:00:00Z'],
      [9n, 1.5, '2026-01-03T00:00:00Z'],
    ]);
  });

  const of = (build: ReturnType<typeof sql>) =>
    featureSet('wrong', { ...totals, build, validate: [notNull('total')] });
  it.each([
    ['no fixture rows', sql`SELECT * FROM ${sales}`, {}, /No fixture rows are given for "sales"/],
    [
      'a column that the source does not declare',
      sql`SELECT * FROM ${sales}`,
      { sales: [{ usr: 1 }] },
      /the column "usr", which its source does not declare/,
    ],
    [
      'a value that does not fit',
      sql`SELECT * FROM ${sales}`,
      { sales: [{ user_id: 'x' }] },
      /user_id.*int64/s,
    ],
    [
      'a NULL key',
      sql`SELECT NULL::BIGINT AS user_id, now() AS event_timestamp, 1.0::DOUBLE AS total FROM ${sales}`,
      { sales: [{ user_id: 1n, sold_at: '2026-01-02' }] },
      /user_id.*NULL|NULL.*user_id/s,
    ],
    [
      'a rule that fails',
      sql`SELECT user_id, sold_at AS event_timestamp, NULL::DOUBLE AS total FROM ${sales}`,
      { sales: [{ user_id: 1n, sold_at: '2026-01-02', amount: 1 }] },
      /total/,
    ],
  ])('refuses %s', async (_, build, inputs, message) => {
    await expect(
      runOnFixtures(of(build), {
        interval: day,
        inputs: inputs as Record<string, Record<string, unknown>[]>,
      }),
    ).rejects.toThrow(message);
  });
});
