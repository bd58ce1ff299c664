import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { SCALAR_TYPES, type ValueType } from '../../definitions/types.js';
import type { FeastProject } from '../../feast/project.js';
import { MaterializationIntervalSchema, RegistrySchema } from '../../feast/registry_pb.js';
import { feastType } from '../../feast/registry-objects.js';
import { pythonDefinitions } from '../../feast/python-definitions.js';
import { writeRegistry } from '../../feast/registry.js';
import { featureStoreYaml } from '../../feast/store-yaml.js';
import { python, runPython } from '../support/python.js';

const ALL_TYPES = SCALAR_TYPES.flatMap((type): ValueType[] => [type, `list<${type}>`]);
const source = {
  name: 'rows',
  uri: '/data/rows/latest/features.parquet',
  timestampField: 'at',
  createdTimestampField: 'made',
  fieldMapping: { uid: 'user_id' },
  tags: {},
};
const project: FeastProject = {
  name: 'shop_dev',
  entities: [
    { name: 'user', joinKey: 'user_id', type: 'int64', description: 'Who buys.', tags: { pii: 'true' } },
    { name: 'route__origin', joinKey: 'origin', type: 'string', tags: {} },
    { name: 'route__destination', joinKey: 'destination', type: 'string', tags: {} },
  ],
  views: [
    {
      name: 'totals',
      entities: ['user'],
      joinKeys: [{ name: 'user_id', type: 'int64' }],
      features: ALL_TYPES.map((type) => ({ name: `f_${type.replace(/[<>]/g, '_')}`, type })),
      ttl: 7n * 86_400_000_000n,
      online: true,
      owner: 'ml',
      tags: { team: 'growth' },
      source,
    },
    {
      name: 'routes',
      entities: ['route__origin', 'route__destination'],
      joinKeys: [
        { name: 'origin', type: 'string' },
        { name: 'destination', type: 'string' },
      ],
      features: [{ name: 'miles', type: 'int32' }],
      online: false,
      tags: {},
    },
  ],
  services: [
    {
      name: 'training',
      tags: {},
      projections: [
        {
          view: 'totals',
          features: [{ name: 'f_int64', type: 'int64' }],
          alias: 'buyer',
          joinKeyMap: { user_id: 'buyer_id' },
        },
      ],
    },
  ],
};

const stamp = (n: number) => ({ versionId: `v${n}`, now: new Date(Date.UTC(2026, 0, n)) });
const bytesOf = (existing: Uint8Array | undefined, of: FeastProject, n: number): Uint8Array => {
  const written = writeRegistry(existing, of, stamp(n));
  if (!written) throw new Error('nothing was written');
  return written;
};
const parse = (bytes: Uint8Array) => fromBinary(RegistrySchema, bytes);

describe('registry.pb', () => {
  it('is not written again where it says all already', () => {
    expect(writeRegistry(bytesOf(undefined, project, 1), project, stamp(2))).toBeUndefined();
  });

  it('bears a new version whenever something changes; what stays keeps its times, what changed when it was made', () => {
    const [totals, routes] = project.views as [FeastProject['views'][number], FeastProject['views'][number]];
    const next = { ...project, views: [{ ...totals, owner: 'shop' }, routes] };
    const registry = parse(bytesOf(bytesOf(undefined, project, 1), next, 2));
    expect(registry.versionId).toBe('v2');
    const times = registry.featureViews.map(({ spec, meta }) => [
      spec?.name,
      meta?.createdTimestamp,
      meta?.lastUpdatedTimestamp,
    ]);
    const [first, second] = [1, 2].map((n) => timestampFromDate(stamp(n).now));
    expect(times).toEqual([
      ['routes', first, first],
      ['totals', first, second],
    ]);
  });

  it('loses what is no longer declared, and nothing of other projects nor of what Granary does not write', () => {
    const other: FeastProject = { ...project, name: 'features_shop_dev' };
    const ours = bytesOf(bytesOf(undefined, other, 1), project, 2);
    // An on-demand feature view (field 8) and a permission (field 16), as Feast would have written them.
    const foreign = Buffer.from('420a0a080a036f6476120164820105080112013a', 'hex');
    const mixed = Uint8Array.from([...ours, ...foreign]);
    const less = parse(bytesOf(mixed, { ...project, services: [], views: project.views.slice(1) }, 3));
    expect(less.featureViews.map(({ spec }) => `${spec?.project} ${spec?.name}`)).toEqual([
      'features_shop_dev routes',
      'features_shop_dev totals',
      'shop_dev routes',
    ]);
    expect(less.featureServices.map(({ spec }) => spec?.project)).toEqual(['features_shop_dev']);
    expect(less.dataSources.map((one) => one.project)).toEqual(['features_shop_dev']);
    expect(less.projects.map(({ spec }) => spec?.name)).toEqual(['features_shop_dev', 'shop_dev']);
    expect(less.$unknown?.map(({ no }) => no)).toEqual([8, 16]);
    expect(parse(toBinary(RegistrySchema, less)).$unknown).toEqual(less.$unknown);
  });

  it("keeps the intervals that Feast's materialize noted, and frees a view that it left as being materialized", () => {
    const found = parse(bytesOf(undefined, project, 1));
    const time = timestampFromDate(new Date(0));
    for (const view of found.featureViews) {
      if (!view.meta) continue;
      view.meta.state = 3;
      view.meta.materializationIntervals = [
        create(MaterializationIntervalSchema, { startTime: time, endTime: time }),
      ];
    }
    const registry = parse(bytesOf(toBinary(RegistrySchema, found), project, 2));
    expect(
      registry.featureViews.map(({ meta }) => [meta?.state, meta?.materializationIntervals.length]),
    ).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('says so of a file that is no registry', () => {
    expect(() => writeRegistry(Buffer.from('PAR1 not a registry'), project, stamp(1))).toThrow(
      expect.objectContaining({ code: 'SourceInvalid' }) as Error,
    );
  });

  it.each(ALL_TYPES.map((type) => [type, feastType(type)] as const))(
    'numbers %s as Feast does: %i',
    (type, number) => {
      const names: Record<string, string> = {
        float64: 'DOUBLE',
        float32: 'FLOAT',
        timestamp: 'UNIX_TIMESTAMP',
      };
      const scalar = type.replace(/^list<(.*)>$/, '$1');
      const expected = `${names[scalar] ?? scalar.toUpperCase()}${scalar === type ? '' : '_LIST'}`;
      expect(FEAST_TYPES[expected]).toBe(number);
    },
  );

  it('is generated from registry.proto: generating again gives the same bytes', () => {
    const before = readFileSync('feast/registry_pb.ts', 'utf8');
    const out = mkdtempSync(join(tmpdir(), 'granary-proto-'));
    try {
      execFileSync(process.execPath, ['scripts/proto.mjs', out]);
      expect(readFileSync(join(out, 'registry_pb.ts'), 'utf8')).toBe(before);
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  });
});

describe.skipIf(python === undefined)('The Feast SDK', () => {
  it("has the same field numbers, names and types as registry.proto, and reads every object's values", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'granary-registry-'));
    try {
      const path = join(folder, 'registry.pb');
      writeFileSync(path, bytesOf(undefined, project, 1));
      const said = JSON.parse((await runPython(READ, [path])).trimEnd().split('\n').at(-1) ?? '') as Said;
      expect(said.unknown).toEqual([]);
      expect(said.entities).toEqual([
        ['route__destination', 'destination', 'STRING'],
        ['route__origin', 'origin', 'STRING'],
        ['user', 'user_id', 'INT64'],
      ]);
      expect(said.views).toMatchObject({
        totals: {
          ttl: 7 * 86_400,
          online: true,
          keys: [['user_id', 'Int64']],
          entities: ['user'],
          owner: 'ml',
        },
        routes: { ttl: 0, online: false, entities: ['route__origin', 'route__destination'], source: null },
      });
      expect(said.views['totals']?.['source']).toEqual([
        'rows',
        '/data/rows/latest/features.parquet',
        'at',
        'made',
        { uid: 'user_id' },
      ]);
      expect(said.views['totals']?.['features']).toEqual(
        ALL_TYPES.map((type) => [`f_${type.replace(/[<>]/g, '_')}`, feastType(type)]),
      );
      expect(said.services).toEqual([
        ['training', [['totals', 'buyer', { user_id: 'buyer_id' }, ['f_int64']]]],
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('applies an exported folder to the very objects of registry.pb, also names that Python has no words for', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'granary-repo-'));
    try {
      const [totals] = project.views as [FeastProject['views'][number]];
      const odd: FeastProject['views'][number] = {
        ...totals,
        name: 'żółw-1 "a"\\\n😀',
        description: "it's",
        ttl: 1n,
        source: { ...source, name: 'class', s3Endpoint: 'http://127.0.0.1:1' },
      };
      const all = { ...project, views: [...project.views, odd] };
      const ours = join(folder, 'ours.pb');
      writeFileSync(ours, bytesOf(undefined, all, 1));
      writeFileSync(join(folder, 'features.py'), pythonDefinitions(all));
      const online = {
        type: 'redis',
        connectionString: 'localhost:1,password=${GRANARY_NO_SECRET}',
      } as const;
      writeFileSync(
        join(folder, 'feature_store.yaml'),
        featureStoreYaml({
          ...{ project: all.name, registry: join(folder, 'theirs.pb'), entityKeySerialization: 3, online },
          notes: ['A note.'],
        }),
      );
      const said = await runPython(COMPARE, [folder, ours]);
      expect(JSON.parse(said.trimEnd().split('\n').at(-1) ?? '')).toEqual({
        differences: [],
        compared: { entities: 3, feature_views: 3, feature_services: 1, data_sources: 2 },
        connection: 'localhost:1,password=hush',
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Registers an exported folder by the SDK, without what it deploys, and compares the specs with those of a file. */
const COMPARE = `
import difflib, importlib.util, json, os, sys
os.environ['GRANARY_NO_SECRET'] = 'hush'
from feast import FeatureStore, Entity, FeatureView, FeatureService, FileSource
from feast.protos.feast.core.Registry_pb2 import Registry
folder, ours = sys.argv[1:]
spec = importlib.util.spec_from_file_location('features', folder + '/features.py')
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
store = FeatureStore(repo_path=folder)
project = store.project
for one in vars(module).values():
    if isinstance(one, Entity): store.registry.apply_entity(one, project)
    elif isinstance(one, FileSource): store.registry.apply_data_source(one, project)
    elif isinstance(one, FeatureView): store.registry.apply_feature_view(one, project)
for one in vars(module).values():
    if isinstance(one, FeatureService):
        one.infer_features({v.name: v for v in vars(module).values() if isinstance(v, FeatureView)})
        store.registry.apply_feature_service(one, project)
theirs, own = Registry(), Registry()
theirs.ParseFromString(store.registry.proto().SerializeToString())
own.ParseFromString(open(ours, 'rb').read())
def specs(registry, kind):
    found = {}
    for one in getattr(registry, kind):
        one = one if kind == 'data_sources' else one.spec
        if one.name == '__dummy': continue
        if kind == 'data_sources': one.ClearField('meta')
        if kind == 'feature_views':
            # As the SDK's apply leaves it: the source within a view says nothing of itself.
            if one.HasField('batch_source'):
                for field in ['meta', 'project']: one.batch_source.ClearField(field)
            # No limit: Feast writes it as zero.
            if one.ttl.ToNanoseconds() == 0: one.ClearField('ttl')
        if kind == 'feature_services':
            # The SDK repeats what stands in the view.
            for each in one.features:
                for field in ['batch_source', 'timestamp_field', 'created_timestamp_column']: each.ClearField(field)
        found[one.name] = one
    return found
differences, compared = [], {}
for kind in ['entities', 'feature_views', 'feature_services', 'data_sources']:
    a, b = specs(own, kind), specs(theirs, kind)
    compared[kind] = len(a)
    for name in sorted(set(a) | set(b)):
        lines = difflib.unified_diff(str(a.get(name)).splitlines(), str(b.get(name)).splitlines(), n=0, lineterm='')
        differences.extend([kind, name, line] for line in lines)
print()
print(json.dumps(dict(differences=differences, compared=compared, connection=store.config.online_store.connection_string)))
`;

interface Said {
  readonly unknown: readonly string[];
  readonly entities: readonly unknown[];
  readonly views: Readonly<Record<string, { readonly [of: string]: unknown }>>;
  readonly services: readonly unknown[];
}

/** Parses the file with Feast's own messages, finds fields that Feast does not know, and reads it through the SDK. */
const READ = `
import json, sys
from google.protobuf.unknown_fields import UnknownFieldSet
from feast import FeatureStore, RepoConfig
from feast.protos.feast.core.Registry_pb2 import Registry
message = Registry()
message.ParseFromString(open(sys.argv[1], 'rb').read())
unknown = []
def walk(m, at):
    unknown.extend(f'{at}:{f.field_number}' for f in UnknownFieldSet(m))
    for field, value in m.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry: continue
        for one in (value if field.is_repeated else [value]): walk(one, f'{at}.{field.name}')
walk(message, 'registry')
store = FeatureStore(config=RepoConfig(project='shop_dev', registry=sys.argv[1], provider='local',
    online_store={'type': 'redis', 'connection_string': 'localhost:1'}, entity_key_serialization_version=3))
def source(s): return s and [s.name, s.path, s.timestamp_field, s.created_timestamp_column, s.field_mapping]
views = {v.name: dict(ttl=v.ttl.total_seconds(), online=v.online, entities=v.entities, owner=v.owner,
    keys=[[c.name, str(c.dtype)] for c in v.entity_columns], source=source(v.batch_source),
    features=[[f.name, f.dtype.to_value_type().value] for f in v.features]) for v in store.list_feature_views()}
services = [[s.name, [[p.name, p.name_alias, p.join_key_map, [f.name for f in p.features]] for p in s.feature_view_projections]]
    for s in store.list_feature_services()]
print()
print(json.dumps(dict(unknown=unknown, views=views, services=services,
    entities=sorted([e.name, e.join_key, e.value_type.name] for e in store.list_entities()))))
`;

/** feast.types.ValueType.Enum of Feast 0.67. */
const FEAST_TYPES: Readonly<Record<string, number>> = {
  ...{ BYTES: 1, STRING: 2, INT32: 3, INT64: 4, DOUBLE: 5, FLOAT: 6, BOOL: 7, UNIX_TIMESTAMP: 8 },
  ...{ BYTES_LIST: 11, STRING_LIST: 12, INT32_LIST: 13, INT64_LIST: 14, DOUBLE_LIST: 15, FLOAT_LIST: 16 },
  ...{ BOOL_LIST: 17, UNIX_TIMESTAMP_LIST: 18 },
};
