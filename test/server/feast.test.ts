import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { feastProject } from '../../definitions/project.js';
import { listenOn, type FeatureServer } from '../../server/server.js';
import { python, runPython } from '../support/python.js';
import { aUser, served, type Served } from '../support/served.js';
import { until } from '../support/until.js';

let shop: Served;
let server: FeatureServer;
let truthful: FeatureServer;
let folder: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'granary-feast-'));
  shop = await served();
  const at = BigInt(Date.now()) * 1000n;
  await shop.load('users', [
    aUser({ at }),
    aUser({
      user_id: 2n,
      at: at + 500n,
      name: null,
      spend: 1e16,
      ratio: -Infinity,
      scores: [NaN, 1e300],
      tags: [],
    }),
    aUser({
      user_id: 3n,
      at: at - 86_400_000_000n * 30n,
      spend: 5e-324,
      ratio: 16777216,
      raw: Uint8Array.of(),
      seen: -1_500_000n,
    }),
  ]);
  await shop.load('purchases', [{ user_id: 1001n, merchant_id: 'M-9', spend: 1.5, visits: 2n, at }]);
  await shop.load('airports', [
    { airport: 'ATL', departures: 319n, delay: 4.5, at },
    { airport: 'ORD', departures: 7n, delay: -1, at },
  ]);
  server = await listenOn(shop.open, { port: 0, statuses: 'feast-python' });
  truthful = await listenOn(shop.open, { port: 0 });
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await server[Symbol.asyncDispose]();
  await truthful[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const config = (online: string): string => `project: ${feastProject(shop.open.scope)}
provider: local
registry: ${join(folder, 'registry.db')}
online_store: ${online}
offline_store: { type: file }
entity_key_serialization_version: 3
`;

it.skipIf(python === undefined)(
  "Feast's SDK reads through its remote online store, tells the types, and raises its own errors",
  async () => {
    await writeFile(join(folder, 'remote.yaml'), config(`{ type: remote, path: ${truthful.url} }`));
    const said = await runPython(
      `
import sys, json
from pathlib import Path
from feast import FeatureStore
from feast.errors import FeatureViewNotFoundException
store = FeatureStore(fs_yaml_file=Path(sys.argv[1]))
features = ["users:visits", "users:spend", "users:name", "users:is_new", "users:tags", "users:ids", "users:raw"]
found = store.get_online_features(features=features, entity_rows=[{"user_id": 1001}, {"user_id": 99}])
out = {k: [repr(v) for v in vs] for k, vs in found.to_dict().items()}
out["kinds"] = {n: [v.WhichOneof("val") for v in r.values] for n, r in zip(found.proto.metadata.feature_names.val, found.proto.results)}
try:
    store.get_online_features(features=["nobody:visits"], entity_rows=[{"user_id": 1001}])
except FeatureViewNotFoundException as error:
    out["error"] = str(error)
print(json.dumps(out))
`,
      [join(folder, 'remote.yaml')],
    );
    expect(JSON.parse(said.trim().split('\n').at(-1) ?? '')).toEqual({
      user_id: ['1001', '99'],
      visits: ['9007199254740993', 'None'],
      spend: ['12.0', 'None'],
      name: [`'Zoë "Z"\\n'`, 'None'],
      is_new: ['False', 'None'],
      tags: ["['a', '', 'ż']", 'None'],
      ids: ['[-1, 4611686018427387904]', 'None'],
      raw: ["'AP8Q'", 'None'],
      kinds: {
        user_id: ['int64_val', 'int64_val'],
        visits: ['int64_val', null],
        spend: ['double_val', null],
        name: ['string_val', null],
        is_new: ['bool_val', null],
        tags: ['string_list_val', null],
        ids: ['int64_list_val', null],
        raw: ['string_val', null],
      },
      error: expect.stringContaining('Feature view nobody does not exist') as string,
    });
  },
  120_000,
);

/** The registry of the same views, made by Feast's SDK. */
const REPO = `
import sys
from datetime import timedelta
from pathlib import Path
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Array, Bool, Bytes, Float32, Float64, Int32, Int64, String, UnixTimestamp
rows = FileSource(name="rows", path="rows.parquet", timestamp_field="at")
user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
merchant = Entity(name="merchant", join_keys=["merchant_id"], value_type=ValueType.STRING)
airport = Entity(name="airport", join_keys=["airport"], value_type=ValueType.STRING)
key, m, a = Field(name="user_id", dtype=Int64), Field(name="merchant_id", dtype=String), Field(name="airport", dtype=String)
users = FeatureView(name="users", entities=[user], ttl=timedelta(days=7), source=rows, schema=[key] + [Field(name=n, dtype=t) for n, t in dict(
  visits=Int64, spend=Float64, ratio=Float32, name=String, is_new=Bool, seen=UnixTimestamp, raw=Bytes, small=Int32,
  tags=Array(String), scores=Array(Float64), ids=Array(Int64), flags=Array(Bool)).items()])
purchases = FeatureView(name="purchases", entities=[user, merchant], ttl=timedelta(0), source=rows, schema=[key, m, Field(name="spend", dtype=Float64), Field(name="visits", dtype=Int64)])
airports = FeatureView(name="airports", entities=[airport], ttl=timedelta(0), source=rows, schema=[a, Field(name="departures", dtype=Int64), Field(name="delay", dtype=Float64)])
quiet = FeatureView(name="quiet", entities=[user], ttl=timedelta(0), source=rows, schema=[key, Field(name="visits", dtype=Int64)])
service = FeatureService(name="late_flights", features=[airports.with_name("origin").with_join_key_map({"airport": "from_airport"}), airports.with_name("destination").with_join_key_map({"airport": "to_airport"})])
FeatureStore(fs_yaml_file=Path(sys.argv[1])).apply([user, merchant, airport, users, purchases, airports, quiet, service])
`;

describe.skipIf(python === undefined)("the same request to Feast's server and to ours", () => {
  let feast: string;
  beforeAll(async () => {
    const redis = new URL(process.env['REDIS_URL'] ?? '');
    const yaml = join(folder, 'feature_store.yaml');
    await writeFile(yaml, config(`{ type: redis, connection_string: "${redis.host}" }`));
    await runPython(REPO, [yaml]);
    const port = await freePort();
    const command = ['-c', 'from feast.cli.cli import cli; cli()', '-c', folder, 'serve'];
    const child = spawn(python ?? '', [...command, '-p', String(port), '--no-access-log'], {
      stdio: 'ignore',
      env: { ...process.env, FEAST_USAGE: 'False' },
    });
    running.push(child);
    feast = `http://127.0.0.1:${port}`;
    const healthy = (): Promise<boolean> =>
      fetch(`${feast}/health`)
        .then((a) => a.ok)
        .catch(() => false);
    await until("Feast's server answers", healthy, { timeoutMs: 150_000 });
  }, 180_000);

  const users = ['visits', 'spend', 'ratio', 'name', 'is_new', 'seen', 'small', 'tags', 'ids', 'flags'];
  const features = users.map((name) => `users:${name}`);
  it.each<[string, object]>([
    [
      'every type, entities that are not there, and repeated',
      { features, entities: { user_id: [1001, 99, 2, 3, 1001] } },
    ],
    [
      'NaN and infinities within lists',
      { features: ['users:scores', 'users:raw'], entities: { user_id: [2, 3] } },
    ],
    [
      'full names of two views, keys as texts',
      {
        features: ['users:visits', 'quiet:visits'],
        entities: { user_id: ['1001', '2'] },
        full_feature_names: true,
      },
    ],
    [
      'two join keys, in another order, with a column that nobody knows',
      {
        features: ['purchases:spend', 'purchases:visits'],
        entities: { color: ['red'], merchant_id: ['M-9'], user_id: [1001] },
      },
    ],
    [
      'views of several entities',
      {
        features: ['airports:delay', 'users:small'],
        entities: { user_id: [1001, 2], airport: ['ATL', 'none'] },
      },
    ],
    [
      'a join key that no view of the request has',
      { features: ['users:small'], entities: { user_id: [1001], airport: ['ATL'] } },
    ],
    ["an entity's name", { features: ['users:small'], entities: { user: [1001] } }],
    [
      'a feature service with roles',
      {
        feature_service: 'late_flights',
        entities: { from_airport: ['ATL'], to_airport: ['ORD'] },
        full_feature_names: true,
      },
    ],
    [
      'versions of views',
      {
        features: ['users:small', 'airports:delay'],
        entities: { user_id: [1001], airport: ['ATL'] },
        include_feature_view_version_metadata: true,
      },
    ],
    ['a number for a text', { features: ['airports:delay'], entities: { airport: [7] } }],
  ])('gives the same JSON: %s', async (_, body) => {
    const [ours, theirs] = [await answer(server.url, body), await answer(feast, body)];
    expect(ours.status).toBe(200);
    expect(ours).toEqual(theirs);
  });

  it.each<[string, object, number]>([
    ['an unknown view', { features: ['nobody:visits'], entities: { user_id: [1] } }, 404],
    ['an unknown service', { feature_service: 'nobody', entities: { user_id: [1] } }, 404],
    ['no entities', { features: ['users:small'] }, 422],
    ['entities of a wrong shape', { features: ['users:small'], entities: { user_id: 1 } }, 422],
  ])('is refused with the same status and class: %s', async (_, body, status) => {
    const [ours, theirs] = [await answer(server.url, body), await answer(feast, body)];
    expect([ours.status, theirs.status]).toEqual([status, status]);
    if (status === 404) expect(classOf(ours.json)).toEqual(classOf(theirs.json));
  });
});

const classOf = (json: unknown): unknown => {
  const { module, class: name } = JSON.parse(json as string) as Record<string, unknown>;
  return { module, class: name };
};

/** By name, since Feast's order is that of a set; numbers as their digits, since 2 and 2.0 are two types to Feast's client. */
async function answer(url: string, body: object): Promise<{ status: number; json: unknown }> {
  const { status, text } = await fetch(`${url}/get-online-features`, {
    method: 'POST',
    // Feast's server ends connections that were idle for seconds without a word.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(body),
  }).then(async (a) => ({ status: a.status, text: await a.text() }));
  if (status !== 200) return { status, json: JSON.parse(text) as unknown };
  const exact = text.replaceAll(/(?<=[[,:])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?=[,\]}])/g, (digits) =>
    JSON.stringify(/[.eE]/.test(digits) ? `double ${Number(digits)}` : `integer ${digits}`),
  );
  const { results, metadata } = JSON.parse(exact) as {
    results: unknown[];
    metadata: { feature_names: string[]; feature_view_metadata?: { name: string }[] };
  };
  const named = metadata.feature_names.map((name, i): [string, unknown] => [name, results[i]]);
  const views = metadata.feature_view_metadata?.map(({ name }) => name).sort();
  return { status, json: { ...Object.fromEntries(named), views } };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
