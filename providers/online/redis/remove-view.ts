import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { GranaryError } from '../../../definitions/errors.js';
import { featureField, timestampField } from '../../../feast/redis-layout.js';
import { storedKeyMatcher } from '../../../feast/stored-key.js';
import type { OnlineView } from '../provider.js';
import { receiptsKey } from './contents.js';
import { orderField } from './order.js';

/** Keys that one SCAN looks at, and hashes of one script call: each blocks the server for about a millisecond. */
const KEYS_PER_SCAN = 1000;
const KEYS_PER_CALL = 200;

const fenceKey = ({ project, name }: OnlineView): string => `__granary:removal:${project}:${name}`;

/** KEYS: the fence, the receipts. ARGV: this attempt, the view. */
const FORGET = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
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
    await checked(redis.eval(FORGET, 2, fence, receiptsKey(view.project), attempt, view.name));
    const matches = storedKeyMatcher(view.joinKeys, view.project);
    const fields = [
      ...[timestampField(view.name), orderField(view.name)],
      ...view.features.map(({ name }) => featureField(view.name, name)),
    ].map((field) => Buffer.from(field));
    let removed = 0;
    let cursor = '0';
    do {
      const [next, found] = await redis.scanBuffer(
        cursor,
        'MATCH',
        `*${view.project}`,
        'COUNT',
        KEYS_PER_SCAN,
      );
      cursor = next.toString();
      const keys = found.filter(matches);
      for (let from = 0; from < keys.length; from += KEYS_PER_CALL) {
        const part = keys.slice(from, from + KEYS_PER_CALL);
        removed += await checked(redis.eval(REMOVE, part.length + 1, fence, ...part, attempt, ...fields));
      }
    } while (cursor !== '0');
    return removed;
  } finally {
    // Where this fails the mark stays: a key that nobody reads, replaced by the next attempt.
    await redis.eval(END, 1, fence, attempt).catch(() => undefined);
  }
}
