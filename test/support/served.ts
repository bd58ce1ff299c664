import { randomBytes } from 'node:crypto';
import {
  defineProject,
  entity,
  featureView,
  fileStore,
  fromEnv,
  label,
  localFiles,
  onlineStore,
  redisStore,
  t,
  trainingSet,
  type Binding,
  type Project,
} from 'granary';
import pg from 'pg';
import { openProject, type OpenProject } from '../../providers/bind.js';
import { onlineStoreOf, onlineView } from '../../registry/online-view.js';
import { openRegistry } from '../../registry/registry.js';
import { registeredView } from '../../client/features.js';

const lake = fileStore('lake');
const online = onlineStore('online');
const rows = lake.parquet('rows', {
  path: 'rows.parquet',
  schema: {
    ...{ user_id: t.int64, merchant_id: t.string, airport: t.string, at: t.timestamp },
    ...{ from_airport: t.string, to_airport: t.string, is_late: t.bool },
    ...{ visits: t.int64, spend: t.float64, name: t.string, is_new: t.bool, seen: t.timestamp, raw: t.bytes },
    ...{ small: t.int32, tags: t.list(t.string), scores: t.list(t.float64), ids: t.list(t.int64) },
    ...{ flags: t.list(t.bool), departures: t.int64, delay: t.float64 },
  },
  timestampField: 'at',
});
const user = entity('user', { joinKeys: { user_id: t.int64 } });
const purchase = entity('purchase', { joinKeys: { user_id: t.int64, merchant_id: t.string } });
const airport = entity('airport', { joinKeys: { airport: t.string } });

const users = featureView('users', {
  entities: [user],
  source: rows,
  ttl: '7d',
  features: {
    visits: { column: 'visits' },
    spend: { column: 'spend' },
    ratio: { column: 'spend', type: t.float32 },
    ...{ name: { column: 'name' }, is_new: { column: 'is_new' }, seen: { column: 'seen' } },
    ...{ raw: { column: 'raw' }, small: { column: 'small' }, tags: { column: 'tags' } },
    ...{ scores: { column: 'scores' }, ids: { column: 'ids' }, flags: { column: 'flags' } },
  },
  online,
});
const purchases = featureView('purchases', {
  ...{ entities: [purchase], source: rows, features: ['spend', 'visits'], online },
});
const airports = featureView('airports', {
  ...{ entities: [airport], source: rows, features: ['departures', 'delay'], online },
});
/** Over the same entity as `users`, and never loaded. */
const quiet = featureView('quiet', { entities: [user], source: rows, features: ['visits'], online });
const training = featureView('training_only', { entities: [user], source: rows, features: ['visits'] });
const late = label('late', {
  source: rows,
  value: 'is_late',
  timestampField: 'at',
  entities: {
    origin: { entity: airport, keys: { airport: 'from_airport' } },
    destination: { entity: airport, keys: { airport: 'to_airport' } },
  },
});

/** A project that is registered, with no worker: what a feature server needs. */
export interface Served extends AsyncDisposable {
  readonly project: Project;
  readonly open: OpenProject;
  readonly pg: pg.Pool;
  /** A statement on the registry; `{schema}` is its schema. */
  registry(sql: string): Promise<void>;
  /** Writes rows of a view: one object an entity, of its join keys, features and `at` (microseconds). */
  load(view: string, rows: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
}

/** Registers the project in a schema of its own. */
export async function served(online: Binding = redisStore({ url: fromEnv('REDIS_URL') })): Promise<Served> {
  const project = defineProject({
    name: `s${randomBytes(5).toString('hex')}`,
    resources: [
      ...[users, purchases, airports, quiet, training],
      trainingSet('late_flights', {
        label: late,
        features: [airports.for('origin'), airports.for('destination')],
      }),
      trainingSet('lagged', { label: late, features: [airports.for('origin').lag('1h')] }),
    ],
    environments: {
      dev: {
        bind: { lake: localFiles('.'), online },
        registry: { url: fromEnv('DATABASE_URL') },
      },
    },
  });
  const open = openProject(project);
  const registry = openRegistry(open.registry);
  await registry.migrate();
  await registry.resources.register(open.project.resources.values(), []);
  const pool = new pg.Pool({ connectionString: open.registry.url(), max: 1 });
  // Servers of outage tests go away; without listeners that would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const statement = async (sql: string): Promise<void> => {
    await pool.query(sql.replaceAll('{schema}', `"${open.registry.schema}"`));
  };
  return {
    project,
    open,
    pg: pool,
    registry: statement,
    async load(name, loaded) {
      const found = registeredView(await registry.resources.all(), name);
      const view = onlineView(open.scope, found);
      const column = (of: string): unknown[] => loaded.map((row) => row[of] ?? null);
      const store = open.providers.online(onlineStoreOf(found));
      await store.prepare(view);
      await store.write(view, 1, {
        rows: loaded.length,
        keys: view.joinKeys.map((key) => column(key.name)),
        values: view.features.map((feature) => column(feature.name)),
        eventTimes: loaded.map((row) => row['at'] as bigint),
        createdTimes: loaded.map(() => null),
        generations: loaded.map(() => 1),
      });
    },
    async [Symbol.asyncDispose]() {
      await registry.close();
      await open.providers.close();
      await statement('DROP SCHEMA {schema} CASCADE');
      await pool.end();
    },
  };
}

/** A user's features of every type; `over` replaces some. */
export const aUser = (over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  ...{ user_id: 1001n, at: BigInt(Date.now()) * 1000n, visits: 2n ** 53n + 1n, spend: 12, ratio: 3.14 },
  ...{ name: 'Zoë "Z"\n', is_new: false, seen: 1_767_225_600_000_000n, raw: Uint8Array.of(0, 255, 16) },
  ...{ small: -7, tags: ['a', '', 'ż'], scores: [1, 0.1, -0.0], ids: [-1n, 2n ** 62n], flags: [true, false] },
  ...over,
});
