/**
 * What users have done in the last seven days, refreshed daily, and read by the Feast SDK: files and Feast's registry in a bucket, the
 * newest values in Redis. `dev` and `prod` stand side by side on the same servers.
 */
import {
  defineProject,
  entity,
  featureSet,
  featureView,
  fileStore,
  fromEnv,
  intervalEnd,
  label,
  localFiles,
  notNull,
  onlineStore,
  pipeline,
  redisStore,
  s3,
  sql,
  t,
  trainingSet,
  unique,
  type Environment,
} from 'granary';

const raw = fileStore('raw');
const lake = fileStore('lake');

export const user = entity('user', { joinKeys: { user_id: t.int64 } });

const events = raw.parquet('events', {
  path: 'events.parquet',
  schema: { user_id: t.int64, event_time: t.timestamp, session_sec: t.float64, bought: t.bool },
  timestampField: 'event_time',
  description: 'One row a session.',
});

const features = featureSet('user_features', {
  store: lake,
  inputs: { events },
  lookback: '7d',
  keys: ['user_id'],
  timestampField: 'event_timestamp',
  schema: {
    user_id: t.int64,
    event_timestamp: t.timestamp,
    f_total_events_7d: t.int64,
    f_avg_session_sec_7d: t.float64,
    f_last_event_age_sec: t.int64,
  },
  build: sql`
    SELECT user_id,
           ${intervalEnd} AS event_timestamp,
           count(*) AS f_total_events_7d,
           avg(session_sec) AS f_avg_session_sec_7d,
           CAST(epoch(${intervalEnd} - max(event_time)) AS BIGINT) AS f_last_event_age_sec
    FROM ${events}
    WHERE event_time >= ${intervalEnd} - INTERVAL 7 DAY
    GROUP BY user_id`,
  validate: [notNull('user_id'), unique('user_id')],
});

export const userFeatures = featureView('user_features', {
  entities: [user],
  source: features,
  ttl: '7d',
  features: ['f_total_events_7d', 'f_avg_session_sec_7d', 'f_last_event_age_sec'],
  online: onlineStore('online'),
  owner: 'ml',
});

const bought = label('bought', {
  entity: user,
  source: events,
  key: 'user_id',
  value: 'bought',
  timestampField: 'event_time',
});

/** In Feast: the feature service `purchases`. */
export const purchases = trainingSet('purchases', {
  label: bought,
  features: [userFeatures],
  store: lake,
  include: ['keys', 'timestamp'],
});

export const daily = pipeline('user_features_daily', {
  targets: [userFeatures],
  startDate: '2026-01-01',
  endDate: '2026-02-01',
  schedule: { cron: '0 0 * * *' },
  retries: { max: 1, delay: '3m' },
  owner: 'ml',
});

/** An environment of this project: its events, its folder in the bucket, and Redis, where Feast's project keeps it apart. */
export const environmentOf = (
  name: string,
  where: {
    readonly events: string;
    readonly bucket: string;
    readonly prefix: string;
    readonly entityKeySerialization: 2 | 3;
  },
): Environment => ({
  registry: { url: fromEnv('DATABASE_URL') },
  bind: {
    raw: localFiles(where.events),
    lake: s3({
      bucket: where.bucket,
      prefix: `${where.prefix}/${name}`,
      ...(process.env['S3_ENDPOINT'] ? { endpoint: fromEnv('S3_ENDPOINT') } : {}),
    }),
    online: redisStore({
      url: fromEnv('REDIS_URL'),
      entityKeySerialization: where.entityKeySerialization,
    }),
  },
});

const place = {
  bucket: process.env['FEATURES_BUCKET'] ?? 'granary',
  prefix: 'feature-store',
  // What this team's Feast clients are configured with; 3 where nothing else is asked for.
  entityKeySerialization: 2,
} as const;

export default defineProject({
  name: 'feature_store',
  resources: [daily, purchases],
  environments: {
    dev: environmentOf('dev', { ...place, events: '.granary/user-events/dev' }),
    prod: environmentOf('prod', { ...place, events: '.granary/user-events/prod' }),
  },
});
