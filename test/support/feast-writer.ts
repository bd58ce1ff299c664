import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { python } from './python.js';

/** One entity's row: `user_id`, microseconds since the epoch, the value of the feature `f`. */
export type FeastRow = readonly [id: number, micros: number, value: number];

/** A project of Feast in Redis with the view `user_features`, the join key `user_id` and the feature `f` (see `userView`). */
export interface FeastStore {
  /** `RedisOnlineStore.online_write_batch`. */
  write(rows: readonly FeastRow[]): Promise<void>;
  /** `RedisOnlineStore.online_read`: microseconds and the value, or null where Feast sees none (it tells an absent entity as an empty value). */
  read(ids: readonly number[]): Promise<(readonly [micros: number, value: number] | null)[]>;
}

const PROGRAM = `
import json, sys
from datetime import datetime, timedelta, timezone
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Int64
configs = {}
def config_of(project, version):
    return configs.setdefault((project, version), RepoConfig(project=project, registry='none.pb', provider='local',
        entity_key_serialization_version=version, online_store={'type': 'redis', 'connection_string': sys.argv[1]}))
user = Entity(name='user', join_keys=['user_id'], value_type=ValueType.INT64)
view = FeatureView(name='user_features', entities=[user], ttl=timedelta(0), schema=[Field(name='f', dtype=Int64)],
    source=FileSource(path='none.parquet', timestamp_field='t'))
view.entity_columns = [Field(name='user_id', dtype=Int64)]
store = RedisOnlineStore()
key = lambda i: EntityKey(join_keys=['user_id'], entity_values=[Value(int64_val=i)])
epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
print('ready', flush=True)
for line in sys.stdin:
    c = json.loads(line)
    config = config_of(c['project'], c['version'])
    if 'write' in c:
        store.online_write_batch(config, view, [(key(i), {'f': Value(int64_val=v)}, epoch + timedelta(microseconds=t), None) for i, t, v in c['write']], None)
        answer = None
    else:
        found = store.online_read(config, view, [key(i) for i in c['read']], ['f'])
        at = lambda t: round((t.replace(tzinfo=t.tzinfo or timezone.utc) - epoch) / timedelta(microseconds=1))
        answer = [None if t is None or v['f'].WhichOneof('val') is None else [at(t), v['f'].int64_val] for t, v in found]
    print(json.dumps(answer), flush=True)
`;

/** Feast's own Redis store in a Python process that lives on, so that the SDK is loaded once. */
export interface FeastProcess extends AsyncDisposable {
  /** `version`: entity_key_serialization_version. */
  open(project: string, version: 2 | 3): FeastStore;
}

export async function startFeast(redis: string): Promise<FeastProcess> {
  const { host } = new URL(redis);
  const child = spawn(python ?? 'python3', ['-c', PROGRAM, host], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, FEAST_USAGE: 'False', PYTHONWARNINGS: 'ignore' },
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done) throw new Error(`Feast ended: ${said.trim().split('\n').slice(-8).join('\n')}`);
    return line.value;
  };
  const ask = async (command: object): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    return JSON.parse(await next());
  };
  await next();
  return {
    open: (project, version) => ({
      async write(rows) {
        await ask({ project, version, write: rows });
      },
      async read(ids) {
        return (await ask({ project, version, read: ids })) as (readonly [number, number] | null)[];
      },
    }),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
