import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileRelation, OfflineSession } from '../../providers/offline/provider.js';
import type { OnlineView } from '../../providers/online/provider.js';

/** Entities a staged shard, as a worker has it by default. */
const ROWS_PER_SHARD = 500_000;
const ROWS_PER_GROUP = 20_000;

/** The view that is loaded: one int64 key, eight features of five types. */
export const VIEW: OnlineView = {
  project: 'bench_dev',
  name: 'user_features',
  joinKeys: [{ name: 'user_id', type: 'int64' }],
  features: [
    { name: 'f_total_events', type: 'int64' },
    { name: 'f_avg_amount', type: 'float64' },
    { name: 'f_max_amount', type: 'float64' },
    { name: 'f_score', type: 'float32' },
    { name: 'f_active_days', type: 'int64' },
    { name: 'f_last_country', type: 'string' },
    { name: 'f_is_member', type: 'bool' },
    { name: 'f_risk', type: 'float64' },
  ],
};

/** One row an entity, every one with an event time of its own within `day`; a function of nothing but its arguments. */
function rowsSql(entities: number, day: number): string {
  return `SELECT i * 7919 AS user_id,
    TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_days(${day}) + to_microseconds(i * 7919 % 86400000000) AS event_timestamp,
    i * 17 + ${day} AS f_total_events,
    i / 7 + ${day} AS f_avg_amount,
    i * 0.25::DOUBLE AS f_max_amount,
    ((i % 1000) / 8)::FLOAT AS f_score,
    (i + ${day}) % 100 AS f_active_days,
    'country-' || (i % 200) AS f_last_country,
    i % 3 = 0 AS f_is_member,
    i / 11 AS f_risk
  FROM (SELECT range AS i FROM range(${entities}))`;
}

const SOURCE = {
  name: 'the rows of a day',
  schema: {
    user_id: 'int64',
    event_timestamp: 'timestamp',
    ...Object.fromEntries(VIEW.features.map(({ name, type }) => [name, type])),
  },
  timestampField: 'event_timestamp',
} as const;

/** Makes one day's Parquet file and stages it as the stage activity does; resolves to the file, and to the paths of the shards. */
export async function stageDay(
  session: OfflineSession,
  { entities, day, folder }: { readonly entities: number; readonly day: number; readonly folder: string },
): Promise<{ readonly parquet: string; readonly shards: readonly string[] }> {
  const shards = join(folder, `day-${day}`);
  await mkdir(shards);
  const parquet = join(folder, `day-${day}.parquet`);
  await session.query({
    sql: rowsSql(entities, day),
    inputs: {},
    output: { ...SOURCE, keys: ['user_id'], parquet },
    deterministic: false,
  });
  return { parquet, shards: await stageFile(session, parquet, shards) };
}

/** Stages a day's Parquet file as the stage activity does; resolves to the paths of the shards. */
export async function stageFile(
  session: OfflineSession,
  parquet: string,
  folder: string,
): Promise<readonly string[]> {
  const relation: FileRelation = {
    ...SOURCE,
    format: 'parquet',
    files: [{ path: parquet, uri: parquet, generation: 1 }],
  };
  const staged = await session.stageNewest({
    name: SOURCE.name,
    relation,
    joinKeys: VIEW.joinKeys.map((key) => ({ ...key, column: key.name })),
    features: VIEW.features.map((feature) => ({ ...feature, column: feature.name })),
    timestampField: SOURCE.timestampField,
    eventTime: '2026-01-02T00:00:00Z',
    rowsPerShard: ROWS_PER_SHARD,
    rowsPerGroup: ROWS_PER_GROUP,
    folder,
  });
  return staged.map(({ file }) => join(folder, file));
}
