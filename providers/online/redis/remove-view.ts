import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { GranaryError } from '../../../definitions/errors.js';
import { featureField, timestampField } from '../../../feast/redis-layout.js';
import { storedKeyMatcher } from '../../../feast/stored-key.js';
import { fenceGone } from '../fence-gone.js';
import type { OnlineView } from '../provider.js';
import { receiptsKey } from './contents.js';
import { fencesKey } from './fences.js';
import { orderField, tombstoneMark } from './order.js';

/** Keys that one SCAN looks at, and hashes of one script call: each blocks the server for about a millisecond. */
const KEYS_PER_SCAN = 1000;
const KEYS_PER_CALL = 200;

const fenceKey = ({ project, name }: OnlineView): string => `__granary:removal:${project}:${name}`;

/** KEYS: the fence, the receipts, the promotions' fences. ARGV: this attempt, the view. */
const FORGET = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('HDEL', KEYS[3], ARGV[2])
return redis.call('ZREM', KEYS[2], ARGV[2])`;

/** KEYS: the fence, then hashes. ARGV: this attempt, then fields. Returns how many hashes had some of them. */
const REMOVE = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local removed = 0
for k = 2, #KEYS do
  if redis.call('TYPE', KEYS[k]).ok == 'hash' then
    local n = 0
    for a = 2, #ARGV, 1000 do
      n = n + redis.call('HDEL', KEYS[k], unpack(ARGV, a, math.min(a + 999, #ARGV)))
    end
    if n > 0 then removed = removed + 1 end
  end
end
return removed`;

/** KEYS: the fence. ARGV: this attempt. */
const END = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 0`;

/**
 * Removes one view's fields from every hash of its project; resolves to how many hashes had some. Other fields stay, and so do hashes of
 * other projects and of other join keys: each key is read, the pattern only saves the way.
 *
 * An attempt that was stopped for so long that the view may have been made anew removes nothing of it: it leaves a mark of its own first,
 * then asks `isWanted`, and each script call holds only while the mark is there. A later attempt replaces the mark; the last one takes it away
 * before anybody may load the view again.
 */
export async function removeView(
  redis: Redis,
  view: OnlineView,
  isWanted: () => Promise<boolean>,
): Promise<number> {
  const fence = fenceKey(view);
  const attempt = randomUUID();
  const stale = (): GranaryError =>
    new GranaryError('StaleToken', `A newer attempt removes the view ${view.name}; this one stops.`);
  const checked = async (reply: Promise<unknown>): Promise<number> => {
    const count = Number(await reply);
    if (count < 0) throw stale();
    return count;
  };
  await redis.set(fence, attempt);
  try {
    if (!(await isWanted())) throw stale();
    // A receipt vouches for the rows before it, so it goes first.
    const forgotten = [fence, receiptsKey(view.project), fencesKey(view.project)] as const;
    await checked(redis.eval(FORGET, 3, ...forgotten, attempt, view.name));
    const fields = fieldsOf(view);
    let removed = 0;
    for await (const keys of entityKeys(redis, view))
      removed += await checked(redis.eval(REMOVE, keys.length + 1, fence, ...keys, attempt, ...fields));
    return removed;
  } finally {
    // Where this fails the mark stays: a key that nobody reads, replaced by the next attempt.
    await redis.eval(END, 1, fence, attempt).catch(() => undefined);
  }
}

/**
 * KEYS: the promotions' fences, then hashes. ARGV: the view, a promotion, a tombstone or '', then fields, the order's first. Older tombstones are
 * replaced too, or go.
 */
const REMOVE_BELOW = `if tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') < tonumber(ARGV[2]) then return -1 end
local removed = 0
for k = 2, #KEYS do
  local mark = redis.call('TYPE', KEYS[k]).ok == 'hash' and redis.call('HGET', KEYS[k], ARGV[4])
  if mark and #mark >= 28 and struct.unpack('>I4', mark) < tonumber(ARGV[2]) then
    if redis.call('HEXISTS', KEYS[k], ARGV[5]) == 1 or #mark ~= 29 or string.byte(mark, 29) ~= 255 then removed = removed + 1 end
    for a = 4, #ARGV, 1000 do redis.call('HDEL', KEYS[k], unpack(ARGV, a, math.min(a + 999, #ARGV))) end
    if ARGV[3] ~= '' then redis.call('HSET', KEYS[k], ARGV[4], ARGV[3]) end
  end
end
return removed`;

/** Removes the entities of a view that bear an order of a lower promotion; see OnlineProvider.removeBelow. */
export async function removeBelow(
  redis: Redis,
  view: OnlineView,
  promotion: number,
  tombstone?: { readonly eventTime: bigint },
): Promise<number> {
  const mark = tombstone ? tombstoneMark(promotion, tombstone.eventTime) : '';
  const fences = fencesKey(view.project);
  const fields = fieldsOf(view);
  let removed = 0;
  for await (const keys of entityKeys(redis, view)) {
    const args = [view.name, promotion, mark, ...fields] as const;
    const count = Number(await redis.eval(REMOVE_BELOW, keys.length + 1, fences, ...keys, ...args));
    if (count < 0) throw fenceGone(view, promotion);
    removed += count;
  }
  return removed;
}

/** KEYS: hashes. ARGV: the order's field, a tombstone. Removes the tombstones whose event time is before that one's. */
const COLLECT = `local hi, lo = struct.unpack('>I4I4', ARGV[2], 5)
local removed = 0
for k = 1, #KEYS do
  local mark = redis.call('TYPE', KEYS[k]).ok == 'hash' and redis.call('HGET', KEYS[k], ARGV[1])
  if mark and #mark == 29 and string.byte(mark, 29) == 255 then
    local h, l = struct.unpack('>I4I4', mark, 5)
    if h < hi or h == hi and l < lo then removed = removed + redis.call('HDEL', KEYS[k], ARGV[1]) end
  end
end
return removed`;

/** Removes the tombstones of a view from before an instant; see OnlineProvider.collectTombstones. */
export async function collectTombstones(redis: Redis, view: OnlineView, before: bigint): Promise<number> {
  const args = [Buffer.from(orderField(view.name)), tombstoneMark(0, before)] as const;
  let removed = 0;
  for await (const keys of entityKeys(redis, view))
    if (keys.length > 0) removed += Number(await redis.eval(COLLECT, keys.length, ...keys, ...args));
  return removed;
}

/** Every field that a view may have in an entity's hash, the order's first. */
const fieldsOf = (view: OnlineView): Buffer[] =>
  [
    ...[orderField(view.name), timestampField(view.name)],
    ...[...view.features.map(({ name }) => name), ...(view.retired ?? [])].map((name) =>
      featureField(view.name, name),
    ),
  ].map((field) => Buffer.from(field));

/** The keys of all entities with a view's join keys in its project, some at a time. */
async function* entityKeys(redis: Redis, view: OnlineView): AsyncGenerator<Buffer[]> {
  const matches = storedKeyMatcher(view.joinKeys, view.project);
  let cursor = '0';
  do {
    const [next, found] = await redis.scanBuffer(cursor, 'MATCH', `*${view.project}`, 'COUNT', KEYS_PER_SCAN);
    cursor = next.toString();
    const keys = found.filter(matches);
    for (let from = 0; from < keys.length; from += KEYS_PER_CALL)
      yield keys.slice(from, from + KEYS_PER_CALL);
  } while (cursor !== '0');
}
