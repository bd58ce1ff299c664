import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, describe, it } from 'vitest';
import { postgresOnlineProvider } from '../../providers/online/postgres/provider.js';
import { redisOnlineProvider } from '../../providers/online/redis/provider.js';
import { onlineConformance } from './online.conformance.js';

const redisUrl = process.env['REDIS_URL'];

if (redisUrl === undefined) {
  describe('online store redis', () => {
    it.skip('is skipped: REDIS_URL names no server', () => {});
  });
} else {
  onlineConformance('redis', {
    open: () => redisOnlineProvider({ url: redisUrl }),
    openKeys2: () => redisOnlineProvider({ url: redisUrl, entityKeySerialization: 2 }),
    unreachable: () => ({
      provider: redisOnlineProvider({ url: 'redis://user:s3cret@127.0.0.1:1/0' }),
      address: '127.0.0.1:1',
    }),
    wipe: async (project) => {
      const redis = new Redis(redisUrl);
      await redis.del(`__granary:store:${project}`);
      redis.disconnect();
    },
    longestName: 80,
  });
}

const databaseUrl = process.env['DATABASE_URL'];

if (databaseUrl === undefined) {
  describe('online store postgres', () => {
    it.skip('is skipped: DATABASE_URL names no server', () => {});
  });
} else {
  const schema = `granary_online_${randomBytes(6).toString('hex')}`;
  const dropSchema = async (): Promise<void> => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
    await client.end();
  };
  afterAll(dropSchema);
  onlineConformance('postgres', {
    open: () => postgresOnlineProvider({ url: databaseUrl, schema }),
    openKeys2: () => postgresOnlineProvider({ url: databaseUrl, schema, entityKeySerialization: 2 }),
    unreachable: () => ({
      provider: postgresOnlineProvider({ url: 'postgresql://user:s3cret@127.0.0.1:1/db', schema }),
      address: '127.0.0.1:1',
    }),
    wipe: dropSchema,
    longestName: 48,
  });
}
