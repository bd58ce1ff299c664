import type { OnlineProvider } from '../../providers/online/provider.js';
import { postgresOnlineProvider } from '../../providers/online/postgres/provider.js';
import { redisOnlineProvider } from '../../providers/online/redis/provider.js';

/** An online store: its name, how another process would open it, and the address of its server where one runs. */
export type LoaderStore = [name: string, open: () => OnlineProvider, url: string | undefined];

export function loaderStores(): LoaderStore[] {
  const { REDIS_URL: redis, DATABASE_URL: postgres } = process.env;
  return [
    ['Redis', () => redisOnlineProvider({ url: redis ?? '' }), redis],
    ['Postgres', () => postgresOnlineProvider({ url: postgres ?? '', schema: 'granary_loaders' }), postgres],
  ];
}
