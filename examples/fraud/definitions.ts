/**
 * The table `transactions` of a bank as features and a training set: how much a customer usually spends, and whether a transaction
 * was fraud. Data stays in Postgres: the transformations run there, their results and the training sets lie there as tables, and the
 * newest value of each customer goes to Redis.
 *
 * Apply it: `granary apply examples/fraud/definitions.ts`, with FRAUD_DATABASE_URL, REDIS_URL and GRANARY_REGISTRY_URL set where
 * the worker and this command run. Nothing here is particular to the generated rows of load-data.ts.
 */
import {
  defineProject,
  entity,
  feature,
  fromEnv,
  label,
  onlineStore,
  postgresDatabase,
  postgresProvider,
  redisStore,
  sql,
  t,
  trainingSet,
} from 'granary';

const postgres = postgresProvider('postgres-demo');
const redis = onlineStore('redis-demo');

const customer = entity('customer', { joinKeys: { customer: t.string } });

export const transactions = postgres.table('transactions', {
  schema: {
    customerid: t.string,
    transactionamount: t.float64,
    timestamp: t.timestamp,
    isfraud: t.bool,
  },
  timestampField: 'timestamp',
  description: 'One row a card transaction.',
});

/**
 * The average over ALL transactions of a customer, also those after the one that a training row is about: it has no timestamp, so it
 * holds the label's future. Good to serve from, misleading to learn from.
 */
const averageUserTransaction = postgres.sql('average_user_transaction', {
  query: sql`
    SELECT customerid AS user_id, avg(transactionamount) AS avg_transaction_amt
    FROM ${transactions}
    WHERE customerid IS NOT NULL
    GROUP BY customerid`,
  schema: { user_id: t.string, avg_transaction_amt: t.float64 },
});

/**
 * The same, point in time: as of each transaction, the average of those up to it. A training row takes the newest one that is not after the
 * label, so that what is learned from is what would have been served then.
 */
const averageUntilTransaction = postgres.sql('average_until_transaction', {
  query: sql`
    SELECT customerid AS user_id,
           "timestamp",
           avg(transactionamount) OVER (PARTITION BY customerid ORDER BY "timestamp") AS avg_transaction_amt
    FROM ${transactions}
    WHERE customerid IS NOT NULL AND "timestamp" IS NOT NULL`,
  schema: { user_id: t.string, timestamp: t.timestamp, avg_transaction_amt: t.float64 },
  timestampField: 'timestamp',
});

export const avgTransactions = feature('avg_transactions', {
  entity: customer,
  source: averageUserTransaction,
  key: 'user_id',
  value: 'avg_transaction_amt',
  type: t.float32,
  online: redis,
});

export const avgTransactionsUntil = feature('avg_transactions_until', {
  entity: customer,
  source: averageUntilTransaction,
  key: 'user_id',
  value: 'avg_transaction_amt',
  type: t.float32,
  online: redis,
});

export const fraudulent = label('fraudulent', {
  entity: customer,
  source: transactions,
  key: 'customerid',
  value: 'isfraud',
  type: t.bool,
  timestampField: 'timestamp',
});

export const fraudTraining = trainingSet('fraud_training', {
  label: fraudulent,
  features: [avgTransactions],
});

export const fraudTrainingUntil = trainingSet('fraud_training_until', {
  label: fraudulent,
  features: [avgTransactionsUntil],
  description: 'Point in time: the one to learn from.',
});

export default defineProject({
  name: 'fraud',
  variant: 'demo',
  resources: [fraudTraining, fraudTrainingUntil],
  environments: {
    dev: {
      bind: {
        'postgres-demo': postgresDatabase({ url: fromEnv('FRAUD_DATABASE_URL') }),
        'redis-demo': redisStore({ url: fromEnv('REDIS_URL') }),
      },
    },
  },
});
