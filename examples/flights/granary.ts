/**
 * Three million US flights (January to June 2001) as a feature store: how busy and how late airports and routes have been, for a model
 * that predicts at departure whether a flight will arrive more than 15 minutes late.
 *
 * A delay is known only after the flight has landed. The file has no landing time, so a delay counts as known one hour plus the flying time at
 * 300 mph, plus the delay itself, after departure: late enough for every flight in the file. Departures count at once. The label is the
 * delay itself: it is looked at after the fact, and the features that it is joined with are those known at its departure.
 */
import {
  defineProject,
  entity,
  featureSet,
  featureView,
  fileStore,
  fromEnv,
  intervalEnd,
  intervalStart,
  label,
  localFiles,
  maxNullRate,
  notNull,
  onlineStore,
  pipeline,
  postgresStore,
  range,
  redisStore,
  rowCount,
  s3,
  sql,
  t,
  trainingSet,
  unique,
} from 'granary';

const raw = fileStore('raw');
export const lake = fileStore('lake');
const online = onlineStore('online');

const airport = entity('airport', { joinKeys: { airport: t.string } });
const route = entity('route', { joinKeys: { origin: t.string, destination: t.string } });

const flights = raw.parquet('flights', {
  path: 'flights-3m.parquet',
  schema: { date: t.timestamp, delay: t.int64, distance: t.int64, origin: t.string, destination: t.string },
  timestampField: 'date',
  description: 'One row a flight: departure (UTC here), arrival delay in minutes, miles.',
});

const known = sql`date + to_minutes(60 + distance // 5 + greatest(delay, 0)) <= ${intervalEnd}`;

export const airportFeatures = featureSet('airport_features', {
  store: lake,
  inputs: { flights },
  lookback: '7d',
  keys: ['airport'],
  timestampField: 'event_timestamp',
  schema: {
    airport: t.string,
    event_timestamp: t.timestamp,
    departures_7d: t.int64,
    mean_delay_7d: t.float64,
    late_share_7d: t.float64,
    seconds_since_departure: t.int64,
  },
  build: sql`
    SELECT origin AS airport,
           ${intervalEnd} AS event_timestamp,
           count(*) AS departures_7d,
           avg(delay) FILTER (${known}) AS mean_delay_7d,
           avg(CAST(delay > 15 AS INTEGER)) FILTER (${known}) AS late_share_7d,
           CAST(epoch(${intervalEnd} - max(date)) AS BIGINT) AS seconds_since_departure
    FROM ${flights}
    WHERE date >= ${intervalEnd} - INTERVAL 7 DAY
    GROUP BY origin`,
  validate: [
    notNull('departures_7d'),
    unique('airport'),
    rowCount({ min: 100 }),
    range('late_share_7d', { min: 0, max: 1 }),
    maxNullRate('mean_delay_7d', 0.2),
  ],
  metadata: { license: 'US government work' },
});

const routeFeatures = lake.sql('route_features', {
  query: sql`
    SELECT origin, destination,
           ${intervalEnd} AS event_timestamp,
           count(*) AS route_departures_7d,
           avg(delay) FILTER (${known}) AS route_mean_delay_7d,
           CAST(max(distance) AS INTEGER) AS miles
    FROM ${flights}
    WHERE date >= ${intervalEnd} - INTERVAL 7 DAY
    GROUP BY origin, destination`,
  lookback: '7d',
  keys: ['origin', 'destination'],
  timestampField: 'event_timestamp',
  schema: {
    origin: t.string,
    destination: t.string,
    event_timestamp: t.timestamp,
    route_departures_7d: t.int64,
    route_mean_delay_7d: t.float64,
    miles: t.int32,
  },
});

const departures = lake.sql('departures', {
  query: sql`
    SELECT origin, destination, date, delay > 15 AS late
    FROM ${flights}
    WHERE date >= ${intervalStart}`,
  lookback: '0d',
  timestampField: 'date',
  schema: { origin: t.string, destination: t.string, date: t.timestamp, late: t.bool },
});

export const airportView = featureView('airport', {
  entities: [airport],
  source: airportFeatures,
  ttl: '2d',
  features: ['departures_7d', 'mean_delay_7d', 'late_share_7d', 'seconds_since_departure'],
  online,
});

export const routeView = featureView('route', {
  entities: [route],
  source: routeFeatures,
  ttl: '2d',
  features: {
    route_departures_7d: { column: 'route_departures_7d' },
    route_mean_delay_7d: { column: 'route_mean_delay_7d', type: t.float32 },
    miles: { column: 'miles' },
  },
  online,
});

const late = label('late', {
  source: departures,
  value: 'late',
  timestampField: 'date',
  entities: {
    origin: { entity: airport, keys: { airport: 'origin' } },
    destination: { entity: airport, keys: { airport: 'destination' } },
    route: { entity: route, keys: { origin: 'origin', destination: 'destination' } },
  },
});

export const delays = trainingSet('delays', {
  label: late,
  features: [airportView.for('origin'), airportView.for('destination'), routeView],
  include: ['keys', 'timestamp'],
  description: 'Will a flight arrive more than 15 minutes late? Asked at departure.',
});

export const daily = pipeline('flights_daily', {
  targets: [airportView, routeView, delays],
  schedule: { cron: '0 0 * * *' },
  startDate: '2001-01-01',
  endDate: '2001-07-01',
  retries: { max: 3, delay: '5s' },
  owner: 'ml',
});

const registry = { url: fromEnv('DATABASE_URL') };
const bind = {
  raw: localFiles(process.env['FLIGHTS_RAW'] ?? 'node_modules/vega-datasets/data'),
  lake: localFiles(process.env['FLIGHTS_LAKE'] ?? '.granary/lake'),
  // Where Redis cannot be had, Postgres serves.
  online: process.env['REDIS_URL']
    ? redisStore({ url: fromEnv('REDIS_URL') })
    : postgresStore({ url: fromEnv('DATABASE_URL') }),
};
const bucket = process.env['FLIGHTS_S3_BUCKET'];
// At the server of S3_ENDPOINT; without that variable at AWS.
const endpoint = process.env['S3_ENDPOINT'] ? { endpoint: fromEnv('S3_ENDPOINT') } : {};

export default defineProject({
  name: 'flights',
  resources: [daily],
  environments: {
    dev: { registry, bind },
    // The same with the lake in a bucket, where one is named: an environment of its own, with versions of its own.
    ...(bucket
      ? { s3: { registry, bind: { ...bind, lake: s3({ bucket, prefix: 'flights', ...endpoint }) } } }
      : {}),
  },
});
