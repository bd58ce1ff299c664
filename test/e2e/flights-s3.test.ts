import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../client/index.js';
import { airportView, daily, delays } from '../../examples/flights/granary.js';
import { flightsProject } from '../fixtures/flights.js';
import { openLake, type Lake } from '../support/lake.js';
import { BUCKET, createS3World, type S3World } from '../support/s3.js';
import { createWorld, type World } from '../support/world.js';

const DAYS = ['2001-03-03', '2001-03-04'];
const NAMES = ['features.csv', 'features.parquet', 'metadata.json', 'schema.json'];
const FOLDERS = ['airport_features', 'route_features', 'departures', 'training_sets/delays'];

interface Made {
  readonly lake: Lake;
  readonly results: readonly RunResult[];
  readonly training: { readonly uri: string; readonly rows: readonly object[] };
  readonly online: unknown;
}

let world: World;
let bucket: S3World;
let local: Made;
let remote: Made;

beforeAll(async () => {
  world = await createWorld();
  bucket = createS3World();
  process.env['GRANARY_CACHE_FOLDER'] = bucket.cacheFolder;
  local = await run(`${world.name}a`, join(world.folder, 'lake'));
  remote = await run(`${world.name}b`, `s3://${BUCKET}/${bucket.prefix}`);
});
afterAll(async () => {
  await bucket[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function run(name: string, address: string): Promise<Made> {
  const project = flightsProject(name, address);
  const results: RunResult[] = [];
  return world.withWorker(project, async (client) => {
    for (const date of DAYS) results.push(await (await client.run(daily, { date })).result());
    const set = await client.trainingSet(delays, { date: DAYS[1] ?? '' });
    const rows: object[] = [];
    for await (const row of set.rows()) rows.push(row);
    const online = await client.features(airportView, [{ airport: 'ATL' }, { airport: 'ANC' }]);
    return { lake: openLake(address), results, training: { uri: set.uris.join(), rows }, online };
  });
}

/** The folder of the version that a day's run made. */
const versionOf = (made: Made, day: number, folder: string): string => {
  const name = folder.replace('training_sets/', '');
  const step = made.results[day]?.steps.find(({ step: id }) => id.includes(`/${name}.`));
  return `${folder}/${step?.version ?? ''}`;
};

describe('two days with the lake in S3', () => {
  it.each(FOLDERS)('leave the same versions of %s as in a folder, to the byte', async (folder) => {
    for (const day of DAYS.keys())
      for (const name of NAMES) {
        const [here, there] = await Promise.all(
          [local, remote].map((made) => made.lake.read(`${versionOf(made, day, folder)}/${name}`)),
        );
        expect(here?.length).toBeGreaterThan(0);
        if (name !== 'metadata.json') expect(there?.equals(here as Buffer)).toBe(true);
        else expect(withoutRun(there)).toEqual(withoutRun(here));
      }
  });

  it('leave latest.json and copies in latest/ of the newest version, and nothing staged', async () => {
    const newest = versionOf(remote, 1, 'airport_features');
    const pointer = JSON.parse(String(await remote.lake.read('airport_features/latest.json'))) as {
      version: string;
      files: { path: string; sha256: string }[];
    };
    expect(`airport_features/${pointer.version}`).toBe(newest);
    expect(await remote.lake.list('airport_features/latest')).toEqual(
      NAMES.map((name) => `airport_features/latest/${name}`),
    );
    for (const name of NAMES)
      expect(await remote.lake.read(`airport_features/latest/${name}`)).toEqual(
        await remote.lake.read(`${newest}/${name}`),
      );
    expect(await remote.lake.list('_staging')).toEqual([]);
    expect(await bucket.uploads()).toEqual([]);
  });

  it('are read through the client: the same training rows and online values, under an s3:// address', () => {
    expect(remote.training.uri).toBe(
      `s3://${BUCKET}/${bucket.prefix}/${versionOf(remote, 1, 'training_sets/delays')}/features.parquet`,
    );
    expect(remote.training.rows.length).toBeGreaterThan(10_000);
    expect(remote.training.rows).toEqual(local.training.rows);
    expect(remote.online).toEqual(local.online);
  });
});

function withoutRun(file: Buffer | undefined): unknown {
  const { run: _run, ...metadata } = JSON.parse(String(file)) as Record<string, unknown>;
  return metadata;
}
