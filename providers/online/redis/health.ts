import type { Redis } from 'ioredis';
import { GranaryError } from '../../../definitions/errors.js';

/**
 * Checks that a server is one that rows can be loaded into: it answers, runs scripts, and is no Sentinel and no part of a cluster.
 * @throws GranaryError `ConfigurationMissing`; the client's own errors.
 */
export async function checkServer(redis: Redis, server: string): Promise<void> {
  await redis.ping();
  const mode = /redis_mode:(\w+)/.exec(await redis.info('server'))?.[1];
  if (mode === 'sentinel')
    throw new GranaryError(
      'ConfigurationMissing',
      `${server} is a Sentinel, which holds no rows. Give the address of the primary that it watches (SENTINEL get-master-addr-by-name <name> tells it).`,
    );
  if (mode === 'cluster')
    throw new GranaryError(
      'ConfigurationMissing',
      `${server} is a node of a Redis Cluster, which holds only a part of the keys. Give the address of a standalone server, or of a proxy in front of the cluster.`,
    );
  await redis.eval('return 1', 0);
}
