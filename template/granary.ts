/**
 * Who will order again within a day? A shop's orders become features of its users: counted and summed every night, kept as files, loaded into an
 * online store for serving, and joined with what happened later for training.
 *
 * `granary dev` runs all of it on this machine and takes up every change that you save here.
 */
import {
  defineProject,
  entity,
  featureSet,
  featureView,
  fileStore,
  fromEnv,
  intervalEnd,
  label,
  localFiles,
  notNull,
  onlineStore,
  pipeline,
  postgresStore,
  range,
  redisStore,
  sql,
  t,
  trainingSet,
} from 'granary';

// Names. What they stand for is bound for each environment, at the end of this file.
const lake = fileStore('lake');
const online = onlineStore('online');

/** Whom features describe. */
export const user = entity('user', { joinKeys: { user_id: t.int64 } });

/** What there is: a row an order. `node make-orders.mjs` writes the file anew, up to this moment. */
export const orders = lake.csv('orders', {
  path: 'raw/orders.csv',
  schema: { user_id: t.int64, ordered_at: t.timestamp, amount: t.float64, again: t.bool },
  timestampField: 'ordered_at',
});

/**
 * What is made of it, once a day: a row a user with the orders of the seven days before the end of the interval. Each run is kept as a version
 * of its own, which is validated before anybody sees it. `tests/user_spending.test.json` says what it should do.
 */
export const spending = featureSet('user_spending', {
  store: lake,
  inputs: { orders },
  lookback: '7d',
  keys: ['user_id'],
  timestampField: 'event_timestamp',
  schema: { user_id: t.int64, event_timestamp: t.timestamp, orders_7d: t.int64, amount_7d: t.float64 },
  build: sql`
    SELECT user_id,
           ${intervalEnd} AS event_timestamp,
           count(*) AS orders_7d,
           sum(amount) AS amount_7d
    FROM ${orders}
    WHERE ordered_at >= ${intervalEnd} - INTERVAL 7 DAY
    GROUP BY user_id`,
  validate: [notNull('amount_7d'), range('amount_7d', { min: 0 })],
});

/** What is served: the newest features of each user, until they are two days old. */
export const userView = featureView('user_spending_view', {
  entities: [user],
  source: spending,
  features: ['orders_7d', 'amount_7d'],
  ttl: '2d',
  online,
});

/** What is to be foretold, and when it was known. */
const again = label('ordered_again', {
  entity: user,
  source: orders,
  key: 'user_id',
  value: 'again',
  timestampField: 'ordered_at',
});

/** Labels, each with the features as they stood at its time, never later ones. */
export const training = trainingSet('ordered_again_training', { label: again, features: [userView] });

/** Runs every midnight (UTC) for the day that has ended. */
export const daily = pipeline('shop_daily', {
  targets: [userView, training],
  startDate: '2026-01-01',
  schedule: { cron: '0 0 * * *' },
});

export default defineProject({
  name: 'shop',
  resources: [daily],
  environments: {
    // `granary dev` sets these variables to the servers that it starts.
    dev: {
      registry: { url: fromEnv('DATABASE_URL') },
      bind: {
        lake: localFiles('data'),
        online: process.env['REDIS_URL']
          ? redisStore({ url: fromEnv('REDIS_URL') })
          : postgresStore({ url: fromEnv('DATABASE_URL') }),
      },
    },
  },
});
