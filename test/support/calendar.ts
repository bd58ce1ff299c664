import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import { airportView, daily, routeView } from '../../examples/flights/granary.js';
import { flightsProject } from '../fixtures/flights.js';
import { FLIGHTS, query } from './duckdb.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';
import type { World } from './world.js';

const DAY_MS = 86_400_000;
const END = Date.parse('2001-07-01T00:00:00Z');

/** How the last days of June 2001 are run, up to its end: each a run of its own. */
export interface Calendar {
  /** How many days; 181 are all that the flights have. */
  readonly days: number;
  /** In the order of the calendar, or in any. */
  readonly order: 'calendar' | 'shuffled';
  /** How often a worker is killed, at a moment that the seed decides. */
  readonly kills: number;
  /** What the order and the moments follow from. */
  readonly seed: number;
}

/** A seed of `GRANARY_SEED`, else a new one; tests name it, so that a failure can be had again. */
export const seedOf = (): number => Number(process.env['GRANARY_SEED'] ?? randomBytes(4).readUInt32LE());

/** Runs the days, and expects online what a direct computation over the raw file gives at the end of June, for every airport and route. */
export async function calendar(world: World, { days, order, kills, seed }: Calendar): Promise<void> {
  const random = randomOf(seed);
  const name = `c${randomBytes(5).toString('hex')}`;
  const lake = join(world.folder, name);
  const project = flightsProject(name, lake);
  world.uses(project);
  const dates = Array.from({ length: days }, (_, i) =>
    new Date(END - (days - i) * DAY_MS).toISOString().slice(0, 10),
  );
  if (order === 'shuffled') shuffle(dates, random);
  const killedOn = new Set<number>();
  while (killedOn.size < Math.min(kills, days)) killedOn.add(Math.floor(random() * days));

  let worker = await start(name, lake);
  const client = await GranaryClient.connect({ project });
  try {
    for (const [index, date] of dates.entries()) {
      const run = await client.run(daily, { date });
      const result = run.result();
      if (killedOn.has(index)) {
        // A day takes about a second: the moment lies in any of its steps, or after them.
        await sleep(random() * 1500);
        await worker.signal('SIGKILL');
        worker = await start(name, lake);
      }
      await result;
    }
    await expectServed(client, new Date(END - days * DAY_MS).toISOString().slice(0, 10));
  } finally {
    await client.close();
    await worker.signal('SIGKILL');
  }
}

const start = (name: string, lake: string): Promise<WorkerProcess> =>
  startWorkerProcess({
    project: 'test/fixtures/flights-project.ts',
    env: { GRANARY_TEST_PROJECT: name, FLIGHTS_LAKE: lake },
  });

/**
 * Every entity's features as of the last midnight within seven days of its last departure, in other words than the definitions'. Only
 * midnights that end one of the days that were run count.
 */
const direct = (keys: string, firstDay: string, columns: string): string => `
  WITH f AS (SELECT *, date + (60 + floor(distance / 5.0)::BIGINT + CASE WHEN delay > 0 THEN delay ELSE 0 END) * INTERVAL 1 MINUTE AS landed
             FROM '${FLIGHTS}' WHERE date < TIMESTAMP '2001-07-01'),
       seen AS (SELECT ${keys}, max(date) AS last FROM f GROUP BY ${keys}),
       latest AS (SELECT ${keys}, least(TIMESTAMP '2001-07-01', date_trunc('day', last + INTERVAL 168 HOUR)) AS midnight
                  FROM seen WHERE last + INTERVAL 168 HOUR >= TIMESTAMP '${firstDay}' + INTERVAL 1 DAY)
  SELECT ${keys}, midnight, count(*) AS departures,
         CAST(sum(delay) FILTER (landed <= midnight) AS DOUBLE) / count(*) FILTER (landed <= midnight) AS mean, ${columns}
  FROM latest JOIN f USING (${keys}) WHERE date >= midnight - INTERVAL 168 HOUR AND date < midnight GROUP BY ${keys}, midnight ORDER BY ${keys}`;

async function expectServed(client: GranaryClient, firstDay: string): Promise<void> {
  const airports = await query(
    direct(
      'origin',
      firstDay,
      `CAST(count(*) FILTER (delay > 15 AND landed <= midnight) AS DOUBLE) / count(*) FILTER (landed <= midnight) AS late,
       date_diff('second', max(date), midnight) AS since`,
    ),
  );
  const servedAirports = await client.features(
    airportView,
    airports.map((row) => ({ airport: String(row['origin']) })),
  );
  expect(servedAirports.map(({ values, eventTime }) => ({ ...values, at: String(eventTime) }))).toEqual(
    airports.map((row) => ({
      departures_7d: row['departures'],
      mean_delay_7d: number(row['mean']),
      late_share_7d: number(row['late']),
      seconds_since_departure: row['since'],
      at: instant(row['midnight']),
    })),
  );
  const routes = await query(
    direct('origin, destination', firstDay, 'CAST(max(distance) AS INTEGER) AS miles'),
  );
  const servedRoutes = await client.features(
    routeView,
    routes.map((row) => ({ origin: String(row['origin']), destination: String(row['destination']) })),
  );
  expect(servedRoutes.map(({ values, eventTime }) => ({ ...values, at: String(eventTime) }))).toEqual(
    routes.map((row) => ({
      route_departures_7d: row['departures'],
      route_mean_delay_7d: typeof row['mean'] === 'number' ? Math.fround(row['mean']) : null,
      miles: row['miles'],
      at: instant(row['midnight']),
    })),
  );
  expect(airports.length).toBeGreaterThan(200);
  expect(routes.length).toBeGreaterThan(3000);
}

const number = (value: unknown): unknown => (value === null ? null : Number(value));
const instant = (value: unknown): string => (value as Date).toISOString().replace('.000', '');

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffle<T>(items: T[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
}
