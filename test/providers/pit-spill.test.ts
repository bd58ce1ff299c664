import { createHash } from 'node:crypto';
import { mkdirSync, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import type { JoinedView, JoinStatistics, PointInTimeJoin } from '../../providers/offline/provider.js';
import { OfflineFixtures, openSession, relation } from '../support/offline-fixtures.js';

const LABELS = 200_000;
const EVENTS = 2_000_000;
const LABEL = { user_id: 'int64', t: 'timestamp', y: 'int32' } as const;
const EVENT = {
  user_id: 'int64',
  event: 'timestamp',
  created: 'timestamp',
  amount: 'float64',
  note: 'string',
} as const;

const random = (place: number, n: number): string => `(hash(i, ${place}) % ${n})::BIGINT`;
const instant = (place: number): string =>
  `make_timestamptz(980000000000000 + ${random(place, 8_000_000)} * 1000000)`;

/** A join whose data is many times larger than what DuckDB may hold. */
describe('a point-in-time join under a memory limit far below its data', () => {
  const fixtures = new OfflineFixtures();
  let labels = '';
  let events = '';

  beforeAll(async () => {
    labels = await fixtures.file(
      `SELECT ${random(1, 100_000)} AS user_id, ${instant(2)} AS t, i::INTEGER AS y FROM (SELECT range AS i FROM range(${LABELS}))`,
    );
    events = await fixtures.file(
      `SELECT ${random(3, 100_000)} AS user_id, ${instant(4)} AS event, ${instant(5)} AS created, ${random(6, 1_000_000)} / 7 AS amount, 'note ' || hash(i, 7) AS note FROM (SELECT range AS i FROM range(${EVENTS}))`,
    );
  });
  afterAll(() => {
    fixtures.remove();
  });

  const request = (parquet: string, knownAt: boolean): PointInTimeJoin => {
    const view = (v: number, lag: bigint): JoinedView => ({
      name: `view v${v}`,
      relation: relation(EVENT, events, { name: 'source events' }),
      on: [{ spine: 'user_id', feature: 'user_id', type: 'int64' }],
      timestampField: 'event',
      createdTimestampField: 'created',
      lag,
      columns: [
        { column: 'amount', as: `v${v}__amount`, type: 'float64' },
        { column: 'note', as: `v${v}__note`, type: 'string' },
      ],
    });
    const views = [view(0, 0n), view(1, 86_400_000_000n)];
    const label = { column: 'y', as: 'y', type: 'int32' } as const;
    return {
      spine: {
        relation: relation(LABEL, labels, { name: 'source labels' }),
        timestampField: 't',
        columns: [],
        label,
        orderBy: ['user_id', 't'],
      },
      views,
      knownAt,
      output: {
        name: 'training set x',
        schema: Object.fromEntries(
          [...views.flatMap(({ columns }) => columns), label].map(({ as, type }) => [as, type]),
        ),
        keys: [],
        parquet,
      },
    };
  };

  const run = async (
    memoryLimit: string,
    knownAt: boolean,
  ): Promise<{ statistics: JoinStatistics; digest: string; spilled: boolean }> => {
    const scratch = join(fixtures.folder, `spill-${memoryLimit}-${knownAt}`);
    mkdirSync(scratch);
    let spilled = false;
    const watcher = watch(scratch, (_, file) => (spilled ||= file?.startsWith('duckdb_temp') ?? false));
    await using session = await openSession(duckdbOfflineProvider(), fixtures, { scratch, memoryLimit });
    const parquet = fixtures.path();
    const statistics = await session.pointInTimeJoin(request(parquet, knownAt));
    watcher.close();
    const digest = createHash('sha256')
      .update(await readFile(parquet))
      .digest('hex');
    return { statistics, digest, spilled };
  };

  it.each([
    ['by event times', false],
    ['of what was known', true],
  ])('spills, finishes and writes the same bytes: %s', { timeout: 300_000 }, async (_, knownAt) => {
    const limited = await run('96MiB', knownAt);
    const free = await run('4GiB', knownAt);
    expect(free.statistics.rows).toBe(LABELS);
    expect(limited.spilled).toBe(true);
    expect(free.spilled).toBe(false);
    expect({ ...limited, spilled: false }).toEqual(free);
  });
});
