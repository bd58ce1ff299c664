import {
  defineProject,
  entity,
  featureView,
  fileStore,
  fromEnv,
  localFiles,
  onlineStore,
  redisStore,
  t,
} from 'granary';

/** Ten features, half of them integers, half floating-point numbers. */
const NAMES = Array.from({ length: 10 }, (_, i) => `f_${i}`);
export const FEATURES = NAMES.map((name, i) => ({ name, type: i % 2 === 0 ? t.int64 : t.float64 }));
export const VIEW = 'user_features';

const rows = fileStore('lake').parquet('rows', {
  path: 'rows.parquet',
  schema: {
    user_id: t.int64,
    at: t.timestamp,
    ...Object.fromEntries(FEATURES.map(({ name, type }) => [name, type])),
  },
  timestampField: 'at',
});
const view = featureView(VIEW, {
  entities: [entity('user', { joinKeys: { user_id: t.int64 } })],
  source: rows,
  ttl: '7d',
  features: Object.fromEntries(NAMES.map((column) => [column, { column }])) as never,
  online: onlineStore('redis'),
});

// eslint-disable-next-line no-restricted-exports -- `granary serve` loads the file's default export
export default defineProject({
  name: 'bench_serve',
  resources: [view],
  environments: {
    dev: {
      bind: { lake: localFiles('.'), redis: redisStore({ url: fromEnv('REDIS_URL') }) },
      registry: { url: fromEnv('DATABASE_URL') },
    },
  },
});
