import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { GranaryError } from '../../../definitions/errors.js';
import type { EntityKeyVersion } from '../../../definitions/provider.js';
import type { StoreState } from '../provider.js';

/**
 * Rows under keys of one version are none to readers of the other: they are contents of their own, with an id of their own, and whoever changes the
 * version loads every view anew.
 */
const idKey = (project: string, keys: EntityKeyVersion): string =>
  `__granary:store:${keys === 3 ? '' : `keys_${keys}:`}${project}`;
/** A sorted set: the views of a project by their greatest receipt. */
export const receiptsKey = (project: string): string => `__granary:receipts:${project}`;

/** KEYS: the id. ARGV: the id that was lost, a new one. */
const RENEW = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])`;

/**
 * KEYS: the id, the receipts. ARGV: id, run_id of the server, view, receipt. One script, so that no restart comes between
 * the look at the server and the receipt.
 */
const ACKNOWLEDGE = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if not string.find(redis.call('INFO', 'server'), 'run_id:' .. ARGV[2], 1, true) then return 0 end
redis.call('ZADD', KEYS[2], 'GT', ARGV[4], ARGV[3])
return 1`;

/**
 * What a Redis server says of its own contents. A dump, the append-only file and a replica each hold a beginning of what the
 * server has executed, in order: a receipt that is there proves everything that was written before it.
 */
export class RedisContents {
  readonly #redis: Redis;
  readonly #description: string;
  readonly #keys: EntityKeyVersion;

  constructor(redis: Redis, description: string, keys: EntityKeyVersion) {
    this.#redis = redis;
    this.#description = description;
    this.#keys = keys;
  }

  async state(project: string): Promise<StoreState> {
    await this.#redis.set(idKey(project, this.#keys), randomUUID(), 'NX');
    const [id, info] = await Promise.all([
      this.#redis.get(idKey(project, this.#keys)),
      this.#redis.info('server'),
    ]);
    if (id === null)
      throw new GranaryError('StoreReplaced', `${this.#description} was emptied a moment ago.`);
    return { id, server: /run_id:(\w+)/.exec(info)?.[1] ?? '' };
  }

  async renew(project: string, lost: string): Promise<void> {
    await this.#redis.eval(RENEW, 1, idKey(project, this.#keys), lost, randomUUID());
  }

  async receipt(project: string, view: string): Promise<number> {
    return Number((await this.#redis.zscore(receiptsKey(project), view)) ?? 0);
  }

  async acknowledge(project: string, view: string, state: StoreState, receipt: number): Promise<boolean> {
    const keys = [idKey(project, this.#keys), receiptsKey(project)] as const;
    return (await this.#redis.eval(ACKNOWLEDGE, 2, ...keys, state.id, state.server, view, receipt)) === 1;
  }
}
