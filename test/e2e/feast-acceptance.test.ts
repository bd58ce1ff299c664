import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentOf, daily, purchases } from '../../examples/user-features/granary.js';
import { makeEvents } from '../../examples/user-features/make-events.js';
import { exportToFeast } from '../../cli/feast-export.js';
import { GranaryClient } from '../../client/index.js';
import { defineProject, type Project } from '../../definitions/index.js';
import { openProject } from '../../providers/bind.js';
import { openRegistry } from '../../registry/registry.js';
import { query } from '../support/duckdb.js';
import { python, runPython } from '../support/python.js';
import { BUCKET, createS3World, s3Endpoint, type S3World } from '../support/s3.js';
import { addresses, createWorld, type World } from '../support/world.js';

/** What the Feast SDK says of both environments: online, from the feature service, and from `latest/`. */
const READ = `
import datetime, json, os, sys
import pandas as pd
from feast import FeatureStore, RepoConfig
redis, version, *stores = sys.argv[1:]
names = ['f_total_events_7d', 'f_avg_session_sec_7d', 'f_last_event_age_sec']
refs = ['user_features:' + n for n in names]
keys = [{'user_id': 1001}, {'user_id': 1042}, {'user_id': 7}]
at = datetime.datetime(2026, 2, 3, tzinfo=datetime.timezone.utc)
frame = pd.DataFrame({'user_id': [1001, 1042], 'event_timestamp': [at, at]})
def read(project, registry):
    store = FeatureStore(config=RepoConfig(
        project=project, registry=registry, provider='local', offline_store={'type': 'dask'},
        online_store={'type': 'redis', 'connection_string': redis}, entity_key_serialization_version=int(version)))
    past = store.get_historical_features(entity_df=frame, features=refs).to_df().sort_values('user_id')
    return {
        'online': store.get_online_features(features=refs, entity_rows=keys).to_dict(),
        'service': store.get_online_features(features=store.get_feature_service('purchases'), entity_rows=keys).to_dict(),
        'past': past[['user_id', *names]].values.tolist(),
        'views': [v.name for v in store.list_feature_views()],
        'projects': [p.name for p in store.list_projects()],
        'entities': [[e.name, e.join_key, e.value_type.name] for e in store.list_entities()],
        'types': [[f.name, str(f.dtype)] for f in store.get_feature_view('user_features').schema],
        'ttl': store.get_feature_view('user_features').ttl.total_seconds(),
    }
print('\\n' + json.dumps([read(*store.split(' ')) for store in stores]))
`;

const READ_REPO = `
import json, sys
from feast import FeatureStore
store = FeatureStore(repo_path=sys.argv[1])
keys = [{'user_id': 1001}, {'user_id': 1042}, {'user_id': 7}]
service = store.get_feature_service('purchases')
print('\\n' + json.dumps(store.get_online_features(features=service, entity_rows=keys).to_dict()))
`;

interface Read {
  readonly online: Record<string, readonly (number | null)[]>;
  readonly service: Record<string, readonly (number | null)[]>;
  readonly past: readonly (readonly number[])[];
  readonly [more: string]: unknown;
}

describe.skipIf(python === undefined).each([2, 3] as const)('The Feast SDK, entity keys %i', (version) => {
  let world: World;
  let bucket: S3World;
  const read: Record<string, Read> = {};
  const seeds = { dev: 0, prod: 1 } as const;
  const environments = ['dev', 'prod'] as const;

  beforeAll(async () => {
    world = await createWorld();
    bucket = createS3World();
    process.env['GRANARY_CACHE_FOLDER'] = bucket.cacheFolder;
    const project = userFeatures(world, bucket, version);
    await forget(world);
    for (const environment of environments) {
      await makeEvents(join(world.folder, environment), seeds[environment]);
      await world.withWorker(
        project,
        async () => {
          await using client = await connect(project, environment);
          const state = await (await client.client.apply()).result();
          expect(state).toMatchObject({ status: 'COMPLETED', error: undefined });
        },
        { environment },
      );
    }
    const [dev, prod] = await readByFeast(bucket, environments, version);
    Object.assign(read, { dev, prod });
  }, 180_000);
  afterAll(async () => {
    await forget(world);
    await bucket[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  it.each(environments)(
    'finds the real values of user 1001 in %s, online and in the past',
    async (environment) => {
      const expected = await byHand(join(world.folder, environment, 'events.parquet'));
      const { online, service, past } = read[environment] as Read;
      expect(online).toEqual({ user_id: [1001, 1042, 7], ...columns(expected) });
      expect(service).toEqual(online);
      expect(past).toEqual([
        [1001, ...(expected[0] ?? [])],
        [1042, ...(expected[1] ?? [])],
      ]);
    },
  );

  it.each(environments)('finds nothing in %s but its own project, entity, view and types', (environment) => {
    expect(read[environment]).toMatchObject({
      projects: [`feature_store_${environment}`],
      views: ['user_features'],
      entities: [['user', 'user_id', 'INT64']],
      ttl: 7 * 86_400,
    });
    const types = read[environment]?.['types'] as string[][];
    expect(types.map((type) => type.join(' ')).sort()).toEqual([
      'f_avg_session_sec_7d Float64',
      'f_last_event_age_sec Int64',
      'f_total_events_7d Int64',
      'user_id Int64',
    ]);
  });

  it('reads the same through a folder that granary feast export wrote, and again over it', async () => {
    const folder = join(world.folder, 'feast_repo');
    const opened = openProject(userFeatures(world, bucket, version), 'dev');
    const registry = openRegistry(opened.registry);
    try {
      const write = (): Promise<readonly string[]> => exportToFeast({ open: opened, registry }, folder);
      await write();
      expect(await write()).toEqual([join(folder, 'feature_store.yaml'), join(folder, 'features.py')]);
      const said = await runPython(READ_REPO, [folder]);
      expect(JSON.parse(said.trimEnd().split('\n').at(-1) ?? '')).toEqual(read['dev']?.online);
      await writeFile(join(folder, 'features.py'), '# mine');
      await expect(write()).rejects.toThrow(/features\.py is there and was not made by granary feast export/);
      expect(await readFile(join(folder, 'features.py'), 'utf8')).toBe('# mine');
    } finally {
      await Promise.all([registry.close(), opened.providers.close()]);
    }
  });

  it('sees other values in dev than in prod', () => {
    expect(read['dev']?.online).not.toEqual(read['prod']?.online);
  });
});

const userFeatures = (world: World, bucket: S3World, entityKeySerialization: 2 | 3): Project => {
  const environment = (name: string) =>
    environmentOf(name, {
      events: join(world.folder, name),
      bucket: BUCKET,
      prefix: bucket.prefix,
      entityKeySerialization,
    });
  return defineProject({
    name: 'feature_store',
    resources: [daily, purchases],
    environments: { dev: environment('dev'), prod: environment('prod') },
  });
};

async function connect(project: Project, environment: string) {
  const client = await GranaryClient.connect({ project, environment });
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

/** What an earlier run of this test left: the project's name is the issue's, and no test's own. */
async function forget(world: World): Promise<void> {
  for (const environment of ['dev', 'prod']) {
    await world.pg.query(`DROP SCHEMA IF EXISTS "granary_feature_store_${environment}" CASCADE`);
    const suffix = `feature_store_${environment}`;
    for (const key of await world.redis.keysBuffer(`*${suffix}*`)) await world.redis.del(key);
  }
}

async function readByFeast(
  bucket: S3World,
  environments: readonly string[],
  version: number,
): Promise<Read[]> {
  process.env['FEAST_S3_ENDPOINT_URL'] = s3Endpoint();
  const { host } = new URL(addresses.redis);
  const stores = environments.map(
    (name) => `feature_store_${name} s3://${BUCKET}/${bucket.prefix}/${name}/feast/${name}/registry.pb`,
  );
  const said = await runPython(READ, [host, String(version), ...stores]);
  return JSON.parse(said.trimEnd().split('\n').at(-1) ?? '') as Read[];
}

/** The features of users 1001 and 1042 at the end of January, in plain SQL over the events. */
async function byHand(events: string): Promise<number[][]> {
  const rows = await query(`
    SELECT user_id, count(*)::DOUBLE, avg(session_sec), epoch(TIMESTAMP '2026-02-01' - max(event_time))::BIGINT::DOUBLE
    FROM '${events}' WHERE event_time >= TIMESTAMP '2026-01-25' AND user_id IN (1001, 1042) GROUP BY 1 ORDER BY 1`);
  return rows.map((row) => Object.values(row).slice(1).map(Number));
}

const columns = ([first = [], second = []]: number[][]) => ({
  f_total_events_7d: [first[0], second[0], null],
  f_avg_session_sec_7d: [first[1], second[1], null],
  f_last_event_age_sec: [first[2], second[2], null],
});
