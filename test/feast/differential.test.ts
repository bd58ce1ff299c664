import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listItem, SCALAR_TYPES, type ScalarType, type ValueType } from '../../definitions/types.js';
import type { KeyType } from '../../definitions/entity.js';
import { writeRegistry } from '../../feast/registry.js';
import { asStored } from '../../feast/value.js';
import type { OnlineProvider, OnlineView } from '../../providers/online/provider.js';
import { redisOnlineProvider } from '../../providers/online/redis/provider.js';
import { python, runPython } from '../support/python.js';

const url = process.env['REDIS_URL'];
const SEED = 20_260_731;
const ROWS = 60;
const T0 = 1_767_225_600_000_000n;

const KEYS = ['string', 'int32', 'int64', 'bytes', 'timestamp'] as const satisfies KeyType[];
const TYPES = SCALAR_TYPES.flatMap((type): ValueType[] => [type, `list<${type}>`]);

/** A random value of a type, in JavaScript's terms. Times have years that Python knows. */
const scalar: Record<ScalarType, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float32: fc.float({ noNaN: true }),
  float64: fc.double({ noNaN: true }),
  string: fc.string({ unit: 'binary', maxLength: 12 }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  timestamp: fc.bigInt({ min: 0n, max: 4_102_444_800n }).map((seconds) => seconds * 1_000_000n),
};
/** What a feature may have beyond a key: NaN, no bytes, a time within a second. */
const featured: Record<ScalarType, fc.Arbitrary<unknown>> = {
  ...scalar,
  float32: fc.oneof({ weight: 8, arbitrary: scalar.float32 }, fc.constant(NaN)),
  float64: fc.oneof({ weight: 8, arbitrary: scalar.float64 }, fc.constant(NaN)),
  bytes: fc.oneof({ weight: 8, arbitrary: scalar.bytes }, fc.constant(new Uint8Array())),
  timestamp: fc.bigInt({ min: 0n, max: 4_102_444_800_000_000n }),
};
const valueOf = (type: ValueType): fc.Arbitrary<unknown> => {
  const item = listItem(type);
  const some =
    item === undefined
      ? featured[type as ScalarType]
      : fc.array(fc.option(featured[item], { freq: 8, nil: null }), { maxLength: 4 });
  return fc.option(some, { freq: 8, nil: null });
};
/** What Feast's materialize stores of a value: as ours, but for empty `bytes`, which it keeps. */
const asFeast = (type: ValueType, value: unknown): unknown =>
  value instanceof Uint8Array ? value : asStored(type, value);

interface Rows {
  /** One list a join key, and one a feature. */
  readonly keys: readonly (readonly unknown[])[];
  readonly values: readonly (readonly unknown[])[];
}

/** Random rows, no two of one entity, the same at every run. */
const sample = (seed: number): Rows => {
  const column = (arbitrary: fc.Arbitrary<unknown>, nth: number): unknown[] =>
    fc.sample(arbitrary, { numRuns: ROWS, seed: seed + nth });
  return {
    keys: [
      ...KEYS.slice(0, -1).map((type, i) => column(scalar[type], i)),
      // Seconds apart: entities are never the same.
      Array.from({ length: ROWS }, (_, row) => BigInt(seed + row) * 1_000_000n),
    ],
    values: TYPES.map((type, i) => column(valueOf(type), 100 + i)),
  };
};

const feature = (type: ValueType): string => `f_${type.replace(/[<>]/g, '_')}`;

describe.skipIf(url === undefined || python === undefined).each([2, 3] as const)(
  'Random rows of every type, entity keys %i, on one Redis',
  (version) => {
    const view: OnlineView = {
      project: `d${randomBytes(4).toString('hex')}`,
      name: 'everything',
      joinKeys: KEYS.map((type) => ({ name: `k_${type}`, type })),
      features: TYPES.map((type) => ({ name: feature(type), type })),
    };
    const ours = sample(SEED);
    const theirs = sample(SEED + 5000);
    let folder: string;
    let provider: OnlineProvider;
    let said: { readonly read: readonly (readonly unknown[])[] };

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'granary-differential-'));
      provider = redisOnlineProvider({ url: url ?? '', entityKeySerialization: version });
      await provider.write(view, 1, {
        rows: ROWS,
        ...ours,
        eventTimes: Array.from({ length: ROWS }, (_, row) => T0 + BigInt(row)),
        createdTimes: Array.from({ length: ROWS }, () => null),
        generations: Array.from({ length: ROWS }, () => 1),
      });
      const registry = writeRegistry(undefined, feastProjectOf(view), { versionId: 'v', now: new Date() });
      writeFileSync(join(folder, 'registry.pb'), registry ?? '');
      const rows = {
        read: columnsOf(ours.keys),
        write: columnsOf(theirs.keys),
        values: columnsOf(theirs.values),
      };
      writeFileSync(join(folder, 'rows.json'), JSON.stringify({ ...rows, keyTypes: KEYS, types: TYPES }));
      const text = await runPython(BOTH_WAYS, [
        folder,
        view.project,
        new URL(url ?? '').host,
        String(version),
      ]);
      said = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as typeof said;
    });
    afterAll(async () => {
      const redis = new Redis(url ?? '');
      for (const key of await redis.keysBuffer(`*${view.project}*`)) await redis.del(key);
      redis.disconnect();
      await provider.close();
      rmSync(folder, { recursive: true, force: true });
    });

    it.each(TYPES.map((type, i) => [type, i] as const))(
      'what Granary writes as %s the Feast SDK reads',
      (type, i) => {
        const expected = (ours.values[i] ?? []).map((value) => plain(asStored(type, value)));
        expect(said.read[i]).toEqual(expected);
      },
    );

    it('what the Feast SDK writes Granary reads, as of no writer of its own', async () => {
      const keys = Array.from({ length: ROWS }, (_, row) => theirs.keys.map((column) => column[row]));
      const found = await provider.read(
        view,
        keys,
        TYPES.map((type) => feature(type)),
      );
      for (const [row, one] of found.entries()) {
        const expected = TYPES.map((type, i) => plain(asFeast(type, theirs.values[i]?.[row])));
        expect(one?.values.map(plain)).toEqual(expected);
        expect(one?.eventTime).toBe(T0 + BigInt(row) * 1000n);
        expect(one?.order).toBeUndefined();
      }
    });
  },
);

/** Values as JSON has them without losing anything: numbers as text where JSON's are not exact, bytes in hex. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'object' && value !== null && 'micros' in value) return String(value.micros);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'number') return exact(value);
  return value ?? null;
}

/** The eight bytes of a double. */
function exact(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}

const columnsOf = (columns: readonly (readonly unknown[])[]): unknown[][] =>
  columns.map((column) => column.map(plain));

const feastProjectOf = (view: OnlineView) => ({
  name: view.project,
  entities: view.joinKeys.map(({ name, type }) => ({ name, joinKey: name, type: type as KeyType, tags: {} })),
  views: [
    {
      name: view.name,
      entities: view.joinKeys.map(({ name }) => name),
      joinKeys: view.joinKeys.map(({ name, type }) => ({ name, type: type as KeyType })),
      features: view.features,
      online: true,
      tags: {},
    },
  ],
  services: [],
});

/**
 * Reads our rows by the SDK's `online_read`, whose protobuf values lose nothing, and writes others by its `online_write_batch`, from Arrow as its
 * `materialize` does. Integers alone are not: with NULLs among them Feast makes them doubles, or fails.
 */
const BOTH_WAYS = `
import datetime, json, struct, sys
import pyarrow as pa
from feast import FeatureStore, RepoConfig
from feast.utils import _columns_to_proto_values
from feast.value_type import ValueType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
folder, project, redis, version = sys.argv[1:5]
store = FeatureStore(config=RepoConfig(project=project, registry=folder + '/registry.pb', provider='local',
    online_store={'type': 'redis', 'connection_string': redis}, entity_key_serialization_version=int(version)))
rows = json.load(open(folder + '/rows.json'))
FIELDS = dict(bool='bool', int32='int32', int64='int64', float32='float', float64='double', string='string', bytes='bytes', timestamp='unix_timestamp')
def native(type, v):
    if type in ('float32', 'float64', 'int32'):
        number = struct.unpack('>d', bytes.fromhex(v))[0]
        return int(number) if type == 'int32' else number
    if type == 'int64': return int(v)
    if type == 'bytes': return bytes.fromhex(v)
    if type == 'timestamp': return int(v)
    return v
ARROW = dict(bool=pa.bool_(), float32=pa.float32(), float64=pa.float64(), string=pa.string(), bytes=pa.binary(), timestamp=pa.timestamp('us', tz='UTC'))
FEAST = dict(bool='BOOL', float32='FLOAT', float64='DOUBLE', string='STRING', bytes='BYTES', timestamp='UNIX_TIMESTAMP')
def column(type, values):
    item = type[5:-1] if type.startswith('list<') else None
    scalar = item or type
    if scalar not in ARROW: return [proto(type, v) for v in values]
    one = lambda v: None if v is None else native(scalar, v)
    made = [None if v is None else [one(x) for x in v] if item else one(v) for v in values]
    array = pa.array(made, type=pa.list_(ARROW[scalar]) if item else ARROW[scalar])
    kind = ValueType[FEAST[scalar] + ('_LIST' if item else '')]
    return _columns_to_proto_values(pa.record_batch([array], names=['x']), [('x', kind)])['x']
def proto(type, v):
    value = Value()
    if v is None: return value
    if type.startswith('list<'):
        field = getattr(value, FIELDS[type[5:-1]] + '_list_val')
        field.SetInParent()
        field.val.extend(0 if x is None else native(type[5:-1], x) for x in v)
    else: setattr(value, FIELDS[type] + '_val', native(type, v) // 1000000 if type == 'timestamp' else native(type, v))
    return value
def shown(type, v):
    if type in ('float32', 'float64', 'int32'): return struct.pack('>d', v).hex()
    if type == 'int64': return str(v)
    if type == 'bytes': return v.hex()
    if type == 'timestamp': return None if v == -2**63 else str(v * 1000000)
    return v
def back(type, value):
    which = value.WhichOneof('val')
    if which is None: return None
    v = getattr(value, which)
    return [shown(type[5:-1], x) for x in v.val] if type.startswith('list<') else shown(type, v)
names = ['k_' + t for t in rows['keyTypes']]
features = ['f_' + t.replace('<', '_').replace('>', '_') for t in rows['types']]
view = store.get_feature_view('everything')
online = store._get_provider().online_store
count = len(rows['read'][0])
def keys(columns):
    return [EntityKey(join_keys=names, entity_values=[proto(t, c[i]) for t, c in zip(rows['keyTypes'], columns)]) for i in range(count)]
found = online.online_read(store.config, view, keys(rows['read']), features)
read = [[back(t, values[f]) if values else 'absent' for _, values in found] for t, f in zip(rows['types'], features)]
at = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
columns = [column(t, c) for t, c in zip(rows['types'], rows['values'])]
online.online_write_batch(store.config, view, [
    (key, {f: c[i] for f, c in zip(features, columns)}, at + datetime.timedelta(milliseconds=i), None)
    for i, key in enumerate(keys(rows['write']))], None)
print()
print(json.dumps({'read': read}))
`;
