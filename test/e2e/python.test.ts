import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  defineProject,
  featureSet,
  fileStore,
  fromEnv,
  localFiles,
  pipeline,
  t,
  Timestamp,
  type Project,
  type Row,
} from 'granary';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import { python, runPython } from '../support/python.js';
import { createWorld, type World } from '../support/world.js';

vi.setConfig({ testTimeout: 120_000 });

const SCHEMA = {
  ...{ id: t.int32, event_timestamp: t.timestamp, b: t.bool, l: t.int64, f: t.float32, d: t.float64 },
  ...{ s: t.string, y: t.bytes, at: t.timestamp, ls: t.list(t.string), ll: t.list(t.int64) },
} as const;
const time = Timestamp.from('2026-01-01T00:00:00.000001Z');
const nothing = Object.fromEntries(Object.keys(SCHEMA).map((name) => [name, null])) as Row<typeof SCHEMA>;
const ROWS: readonly Row<typeof SCHEMA>[] = [
  {
    ...{
      id: 1,
      event_timestamp: time,
      b: true,
      l: 2n ** 62n + 1n,
      f: 0.1,
      d: 0.1,
      s: 'żółć 😀\n"',
      y: new Uint8Array([0, 255]),
    },
    ...{ at: Timestamp.from('1969-12-31T23:59:59.999999Z'), ls: ['a', ''], ll: [9007199254740993n, -1n] },
  },
  { ...nothing, id: 2, event_timestamp: time },
  {
    ...{
      id: 3,
      event_timestamp: time,
      b: false,
      l: -(2n ** 63n),
      f: Infinity,
      d: NaN,
      s: '',
      y: new Uint8Array(),
    },
    ...{ at: Timestamp.from('9999-12-31T23:59:59.999999Z'), ls: [], ll: [] },
  },
];
/** As the program prints values: no digit lost. */
const EXPECTED = [
  [
    '1',
    '1767225600000001',
    'True',
    '4611686018427387905',
    '0.10000000149011612',
    '0.1',
    'żółć 😀\n"',
    '00ff',
    '-1',
    ['a', ''],
    ['9007199254740993', '-1'],
  ],
  ['2', '1767225600000001', ...Array<null>(9).fill(null)],
  [
    '3',
    '1767225600000001',
    'False',
    '-9223372036854775808',
    'inf',
    'nan',
    '',
    '',
    '253402300799999999',
    [],
    [],
  ],
];

const PROGRAM = `
import sys, json, datetime, pyarrow as pa, pyarrow.parquet as pq, pandas as pd, polars as pl
library, path = sys.argv[1:]
parquet = path.endswith('.parquet')
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
def plain(v):
    if v is None or v is pd.NA or v is pd.NaT: return None
    if isinstance(v, pd.Timestamp): v = v.to_pydatetime()
    if isinstance(v, datetime.datetime): return str((v - EPOCH) // datetime.timedelta(microseconds=1))
    if isinstance(v, (bytes, bytearray)): return bytes(v).hex()
    if isinstance(v, str): return v
    if hasattr(v, 'tolist'): v = v.tolist()
    if isinstance(v, list): return [plain(x) for x in v]
    return str(v)
if library == 'pyarrow':
    table = pq.read_table(path) if parquet else pa.ipc.open_stream(path).read_all()
    rows = [list(row.values()) for row in table.to_pylist()]
    types = [str(f.type) for f in table.schema]
elif library == 'pandas':
    frame = pd.read_parquet(path, dtype_backend='pyarrow') if parquet else pa.ipc.open_stream(path).read_pandas(types_mapper=pd.ArrowDtype)
    rows = [[frame[c].iloc[i] for c in frame.columns] for i in range(len(frame))]
    types = [str(t.pyarrow_dtype) for t in frame.dtypes]
else:
    frame = pl.read_parquet(path) if parquet else pl.read_ipc_stream(path)
    rows = [list(row) for row in frame.rows()]
    types = [str(t.to_arrow() if hasattr(t, 'to_arrow') else t) for t in frame.dtypes]
print(json.dumps({'rows': [[plain(v) for v in row] for row in rows], 'types': types}))
`;

let world: World;
let client: GranaryClient;
let project: Project;
beforeAll(async () => {
  if (python === undefined) return;
  world = await createWorld();
  const name = `p${randomBytes(5).toString('hex')}`;
  const lake = fileStore('lake');
  // A build in TypeScript reads something.
  const ids = lake.csv('ids', { path: 'ids.csv', schema: { id: t.int32 } });
  await mkdir(join(world.folder, name));
  await writeFile(join(world.folder, name, 'ids.csv'), 'id\n1\n');
  const everything = featureSet('everything', {
    store: lake,
    inputs: { ids },
    keys: ['id'],
    timestampField: 'event_timestamp',
    schema: SCHEMA,

    build: async function* () {
      yield ROWS;
    },
  });
  project = defineProject({
    name,
    resources: [
      pipeline('daily', { targets: [everything], schedule: { cron: '0 0 * * *' }, startDate: '2026-01-01' }),
    ],
    environments: {
      dev: {
        registry: { url: fromEnv('DATABASE_URL') },
        bind: { lake: localFiles(join(world.folder, name)) },
      },
    },
  });
  await world.withWorker(project, async (running) => {
    await (await running.run('daily', { date: '2026-01-01' })).result();
  });
  client = await GranaryClient.connect({ project });
});
afterAll(async () => {
  if (python === undefined) return;
  await client.close();
  await world[Symbol.asyncDispose]();
});

describe.skipIf(python === undefined)('Python reads every value', () => {
  const places: Readonly<Record<string, () => Promise<string>>> = {
    'the published features.parquet': async () => {
      const { uris } = await client.featureSet('everything');
      return fileURLToPath(uris[0] ?? '');
    },
    'an exported Parquet file': async () => {
      const path = join(world.folder, 'export.parquet');
      await client.featureSet('everything').toParquet(path);
      return path;
    },
    'an exported Arrow stream': async () => {
      const path = join(world.folder, 'export.arrows');
      await client.featureSet('everything').toArrow(path);
      return path;
    },
  };
  const cases = Object.keys(places).flatMap((place) =>
    ['pyarrow', 'pandas', 'polars'].map((library) => [place, library] as const),
  );
  it.each(cases)('of %s with %s', async (place, library) => {
    const path = (await places[place]?.()) ?? '';
    const { rows, types } = JSON.parse(await runPython(PROGRAM, [library, path])) as {
      rows: unknown;
      types: string[];
    };
    expect(rows).toEqual(EXPECTED);
    if (library !== 'polars')
      expect(types).toEqual([
        ...['int32', 'timestamp[us, tz=UTC]', 'bool', 'int64', 'float', 'double', 'string', 'binary'],
        ...[
          'timestamp[us, tz=UTC]',
          expect.stringMatching(/^list<\w+: string>$/),
          expect.stringMatching(/^list<\w+: int64>$/),
        ],
      ]);
  });
});
