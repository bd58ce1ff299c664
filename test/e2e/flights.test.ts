import { createHash } from 'node:crypto';
import { readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../client/index.js';
import { flightsProject } from '../fixtures/flights.js';
import { airportView, daily, delays, routeView } from '../../examples/flights/granary.js';
import { FLIGHTS, query } from '../support/duckdb.js';
import { granary } from '../support/granary-command.js';
import { createWorld, type World } from '../support/world.js';

const DAYS = ['2001-03-03', '2001-03-04', '2001-03-05'];
let world: World;
let project: ReturnType<typeof flightsProject>;
let lake: string;
const results: RunResult[] = [];

beforeAll(async () => {
  world = await createWorld();
  lake = join(world.folder, 'lake');
  project = flightsProject(world.name, lake);
  await world.withWorker(project, async (client) => {
    for (const date of DAYS) results.push(await (await client.run(daily, { date })).result());
  });
});
afterAll(() => world[Symbol.asyncDispose]());

const json = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(lake, path), 'utf8')) as Record<string, unknown>;
const latest = async (name: string): Promise<string> =>
  `${name}/${String((await json(`${name}/latest.json`))['version'])}`;
const versionOf = (result: RunResult | undefined, step: string): string =>
  result?.steps.find((s) => s.step.includes(step))?.version ?? '';

describe('what a day leaves behind', () => {
  it('is a version of four files a day, and latest with the same names', async () => {
    const files = ['features.csv', 'features.parquet', 'metadata.json', 'schema.json'];
    const versions = (await readdir(join(lake, 'airport_features'))).filter((name) => name.startsWith('v_'));
    expect(versions).toHaveLength(DAYS.length);
    for (const version of versions) {
      expect(version).toMatch(/^v_\d{8}T\d{6}$/);
      expect((await readdir(join(lake, 'airport_features', version))).sort()).toEqual(files);
    }
    expect((await readdir(join(lake, 'airport_features', 'latest'))).sort()).toEqual(files);
  });

  it('has latest.json and latest/ on the newest interval', async () => {
    const newest = versionOf(results.at(-1), 'airport_features');
    expect((await json('airport_features/latest.json'))['version']).toBe(newest);
    expect(await readlink(join(lake, 'airport_features', 'latest'))).toBe(newest);
  });

  it('has checksums in metadata.json that are those of the files', async () => {
    const folder = await latest('airport_features');
    const metadata = await json(`${folder}/metadata.json`);
    const files = metadata['files'] as Record<string, { bytes: number; sha256: string }>;
    for (const [name, { bytes, sha256 }] of Object.entries(files)) {
      const body = await readFile(join(lake, folder, name));
      expect(body.length).toBe(bytes);
      expect(createHash('sha256').update(body).digest('hex')).toBe(sha256);
    }
    expect(metadata).toMatchObject({
      interval: { start: '2001-03-05T00:00:00Z', end: '2001-03-06T00:00:00Z' },
      metadata: { license: 'US government work' },
      eventTimes: { min: '2001-03-06T00:00:00Z', max: '2001-03-06T00:00:00Z' },
    });
    const raw = createHash('sha256')
      .update(await readFile(FLIGHTS))
      .digest('hex');
    expect(metadata['upstream']).toEqual([
      {
        source: expect.stringMatching(/^source\/flights\./) as string,
        files: [{ path: 'flights-3m.parquet', sha256: raw }],
      },
    ]);
  });

  it('has no latest for a transformation, and nothing in staging', async () => {
    expect(await readdir(join(lake, 'route_features'))).not.toContain('latest');
    expect(await readdir(join(lake, '_staging'))).toEqual([]);
  });

  it('has CSV and Parquet with equal rows', async () => {
    const folder = join(lake, await latest('airport_features'));
    const [row] = await query(`SELECT count(*) AS n FROM (
      (SELECT airport, departures_7d, mean_delay_7d FROM '${folder}/features.parquet' EXCEPT ALL SELECT airport, departures_7d, mean_delay_7d FROM '${folder}/features.csv')
      UNION ALL (SELECT airport, departures_7d, mean_delay_7d FROM '${folder}/features.csv' EXCEPT ALL SELECT airport, departures_7d, mean_delay_7d FROM '${folder}/features.parquet'))`);
    expect(row).toEqual({ n: 0n });
  });

  it('is recorded: ledger, lineage, runs', async () => {
    const ledger = await world.registry(
      project,
      `SELECT split_part(target, '.', 1) AS target, count(*)::int AS n FROM {schema}.ledger GROUP BY 1 ORDER BY 1`,
    );
    expect(ledger).toEqual(
      [
        'source/airport_features',
        'source/departures',
        'source/route_features',
        'trainingSet/delays',
        'view/airport',
        'view/route',
      ].map((target) => ({ target, n: 3 })),
    );
    const runs = await world.registry(project, 'SELECT DISTINCT status FROM {schema}.runs');
    expect(runs).toEqual([{ status: 'COMPLETED' }]);
    const lineage = await world.registry(
      project,
      `SELECT DISTINCT split_part(i.source, '.', 1) AS source FROM {schema}.dataset_inputs i JOIN {schema}.datasets d ON d.id = i.dataset_id WHERE d.target LIKE 'trainingSet/%' ORDER BY 1`,
    );
    expect(lineage.map((row) => row['source'])).toEqual([
      'source/airport_features',
      'source/departures',
      'source/route_features',
    ]);
  });
});

/** Airport features as of a day's midnight, in other words than the definition's. */
const independentAirport = (airport: string, midnight: string): string => `
  WITH f AS (SELECT *, date + (60 + floor(distance / 5.0)::BIGINT + CASE WHEN delay > 0 THEN delay ELSE 0 END) * INTERVAL 1 MINUTE AS landed FROM '${FLIGHTS}' WHERE origin = '${airport}')
  SELECT (SELECT count(*) FROM f WHERE date >= TIMESTAMP '${midnight}' - INTERVAL 168 HOUR AND date < TIMESTAMP '${midnight}') AS departures_7d,
         (SELECT sum(delay) / count(*) FROM f WHERE date >= TIMESTAMP '${midnight}' - INTERVAL 168 HOUR AND date < TIMESTAMP '${midnight}' AND landed <= TIMESTAMP '${midnight}') AS mean_delay_7d,
         (SELECT sum(CASE WHEN delay > 15 THEN 1 ELSE 0 END) / count(*) FROM f WHERE date >= TIMESTAMP '${midnight}' - INTERVAL 168 HOUR AND date < TIMESTAMP '${midnight}' AND landed <= TIMESTAMP '${midnight}') AS late_share_7d,
         date_diff('second', (SELECT max(date) FROM f WHERE date < TIMESTAMP '${midnight}'), TIMESTAMP '${midnight}') AS seconds_since_departure`;

describe('feature values', () => {
  const cases = ['ATL', 'ANC', 'SFO'].flatMap((airport) => DAYS.map((day, i) => [airport, day, i] as const));
  it.each(cases)('%s on %s are those of plain SQL over the raw file', async (airport, day, i) => {
    const midnight = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000)
      .toISOString()
      .slice(0, 19)
      .replace('T', ' ');
    const [expected] = await query(independentAirport(airport, midnight));
    const version = versionOf(results[i], 'airport_features');
    const [found] = await query(
      `SELECT departures_7d, mean_delay_7d, late_share_7d, seconds_since_departure FROM '${lake}/airport_features/${version}/features.parquet' WHERE airport = '${airport}'`,
    );
    expect(found?.['departures_7d']).toBe(expected?.['departures_7d']);
    expect(found?.['seconds_since_departure']).toBe(expected?.['seconds_since_departure']);
    expect(found?.['mean_delay_7d']).toBeCloseTo(Number(expected?.['mean_delay_7d']), 10);
    expect(found?.['late_share_7d']).toBeCloseTo(Number(expected?.['late_share_7d']), 10);
  });

  it('are served online as they are stored', async () => {
    await world.withWorker(project, async (client) => {
      const stored = await query(
        `SELECT airport, departures_7d, mean_delay_7d, late_share_7d, seconds_since_departure FROM '${lake}/${await latest('airport_features')}/features.parquet' ORDER BY airport`,
      );
      const served = await client.features(
        airportView,
        stored.map((row) => ({ airport: String(row['airport']) })),
      );
      expect(served.map((row, i) => ({ airport: stored[i]?.['airport'], ...row.values }))).toEqual(stored);
      expect(new Set(served.map((row) => String(row.eventTime)))).toEqual(new Set(['2001-03-06T00:00:00Z']));
      const [gone] = await client.features(airportView, [{ airport: 'XXX' }]);
      expect(gone).toEqual({
        values: {
          departures_7d: null,
          mean_delay_7d: null,
          late_share_7d: null,
          seconds_since_departure: null,
        },
        eventTime: undefined,
      });
      const [route] = await client.features(routeView, [{ origin: 'LAX', destination: 'SFO' }]);
      const [expected] = await query(
        `SELECT count(*) AS n, max(distance)::INTEGER AS miles FROM '${FLIGHTS}' WHERE origin = 'LAX' AND destination = 'SFO' AND date >= '2001-02-27' AND date < '2001-03-06'`,
      );
      expect([route?.values.route_departures_7d, route?.values.miles]).toEqual([
        expected?.['n'],
        expected?.['miles'],
      ]);
    });
  });

  it('are shown by the command for an entity of two join keys, in any order; all must be given', async () => {
    const get = (...keys: string[]) =>
      granary(
        { GRANARY_TEST_PROJECT: project.name, FLIGHTS_LAKE: lake },
        ...['features', 'get', 'route', ...keys, '--json', '-p', 'test/fixtures/flights-project.ts'],
      );
    const found = await get('destination=SFO', 'origin=LAX');
    expect(found.status).toBe(0);
    expect(JSON.parse(found.stdout)).toMatchObject({
      entity: { origin: 'LAX', destination: 'SFO' },
      eventTime: '2001-03-06T00:00:00Z',
      features: [{ feature: 'route_departures_7d' }, {}, { feature: 'miles', value: 337 }],
    });
    const lacking = await get('origin=LAX');
    expect([lacking.status, lacking.stdout]).toEqual([2, '']);
    expect(JSON.parse(lacking.stderr)).toMatchObject({
      error: {
        message: 'The entity has no "destination". route is read by origin=<string> destination=<string>.',
      },
    });
  });
});

describe('the training set', () => {
  it('is, row by row, what plain SQL over the raw file gives', async () => {
    // Labels of the 5th see the features of midnight on the 5th: the version of the 4th.
    const version = versionOf(results[2], 'delays');
    const file = `'${lake}/training_sets/delays/${version}/features.parquet'`;
    const [counts] = await query(
      `SELECT count(*) AS rows, (SELECT count(*) FROM '${FLIGHTS}' WHERE date >= '2001-03-05' AND date < '2001-03-06') AS flights FROM ${file}`,
    );
    expect(counts?.['rows']).toBe(counts?.['flights']);
    const [differing] = await query(`
      WITH week AS (SELECT *, date + to_minutes(60 + distance // 5 + greatest(delay, 0)) <= TIMESTAMP '2001-03-05' AS known FROM '${FLIGHTS}' WHERE date >= '2001-02-26' AND date < '2001-03-05'),
      airport AS (SELECT origin AS airport, count(*) AS n, avg(delay) FILTER (known) AS mean, avg((delay > 15)::INT) FILTER (known) AS late, date_diff('second', max(date), TIMESTAMP '2001-03-05') AS since FROM week GROUP BY 1),
      route AS (SELECT origin, destination, count(*) AS n, (avg(delay) FILTER (known))::FLOAT AS mean, max(distance)::INT AS miles FROM week GROUP BY 1, 2),
      expected AS (
        SELECT f.origin, f.destination, f.date AT TIME ZONE 'UTC' AS date, o.n, round(o.mean, 9), round(o.late, 9), o.since, d.n, round(d.mean, 9), round(d.late, 9), d.since, r.n, r.mean, r.miles, f.delay > 15
        FROM '${FLIGHTS}' f LEFT JOIN airport o ON o.airport = f.origin LEFT JOIN airport d ON d.airport = f.destination LEFT JOIN route r ON r.origin = f.origin AND r.destination = f.destination
        WHERE f.date >= '2001-03-05' AND f.date < '2001-03-06'),
      found AS (SELECT origin, destination, date, origin__departures_7d, round(origin__mean_delay_7d, 9), round(origin__late_share_7d, 9), origin__seconds_since_departure, destination__departures_7d, round(destination__mean_delay_7d, 9), round(destination__late_share_7d, 9), destination__seconds_since_departure, route_departures_7d, route_mean_delay_7d, miles, late FROM ${file})
      SELECT (SELECT count(*) FROM (FROM expected EXCEPT ALL FROM found)) AS missing, (SELECT count(*) FROM (FROM found EXCEPT ALL FROM expected)) AS extra`);
    expect(differing).toEqual({ missing: 0n, extra: 0n });
  });

  it('has the label last, and NULL where no feature was known', async () => {
    const version = versionOf(results[0], 'delays');
    const rows = await query(
      `SELECT * FROM '${lake}/training_sets/delays/${version}/features.parquet' LIMIT 1`,
    );
    expect(Object.keys(rows[0] ?? {}).at(-1)).toBe('late');
    // Nothing was built before the first day: its labels have no features, and stay.
    expect(rows[0]?.['origin__departures_7d']).toBeNull();
  });

  it('is read by the client with names and values', async () => {
    await world.withWorker(project, async (client) => {
      const set = await client.trainingSet(delays, { date: '2001-03-05' });
      let rows = 0;
      let late = 0;
      for await (const row of set.rows()) {
        rows += 1;
        if (row.late === true) late += 1;
      }
      const [expected] = await query(
        `SELECT count(*) AS n, count(*) FILTER (delay > 15) AS late FROM '${FLIGHTS}' WHERE date >= '2001-03-05' AND date < '2001-03-06'`,
      );
      expect([BigInt(rows), BigInt(late)]).toEqual([expected?.['n'], expected?.['late']]);
    });
  });
});

describe('the same day again', () => {
  it('finds everything valid and changes nothing', async () => {
    const before = await readdir(join(lake, 'airport_features'));
    await world.withWorker(project, async (client) => {
      const again = await (await client.run(daily, { date: '2001-03-04' })).result();
      expect(again.steps.map((step) => step.outcome)).toEqual(Array(6).fill('current'));
    });
    expect(await readdir(join(lake, 'airport_features'))).toEqual(before);
  });

  it('rebuilt, is a new generation with the same bytes; an old day never becomes latest', async () => {
    const newest = await json('airport_features/latest.json');
    await world.withWorker(project, async (client) => {
      const again = await (await client.run(daily, { date: '2001-03-04', rebuild: true })).result();
      const step = again.steps.find((s) => s.step.includes('airport_features'));
      expect(step).toMatchObject({ outcome: 'made', generation: 2 });
      for (const file of ['features.parquet', 'features.csv', 'schema.json'])
        expect(await readFile(join(lake, 'airport_features', step?.version ?? '', file))).toEqual(
          await readFile(join(lake, 'airport_features', versionOf(results[1], 'airport_features'), file)),
        );
      const metadata = async (version: string): Promise<unknown> => ({
        ...(await json(`airport_features/${version}/metadata.json`)),
        run: undefined,
      });
      expect(await metadata(step?.version ?? '')).toEqual(
        await metadata(versionOf(results[1], 'airport_features')),
      );
    });
    expect(await json('airport_features/latest.json')).toEqual(newest);
  });
});
