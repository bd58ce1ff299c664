/**
 * Writes data/raw/orders.csv: the orders of a small shop over the last thirty days, up to this moment. `node make-orders.mjs`
 *
 * They come from a formula, so that an order once written stays as it is: to run it again adds what has happened since, and nothing else changes
 * (but for the oldest days, which are kept as well).
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const FILE = 'data/raw/orders.csv';
const USERS = 200;
const DAY = 86_400_000;

/** A number from 0 to 1 that only depends on what it is given. */
function chance(...parts) {
  let hash = 2166136261;
  for (const part of parts) {
    hash = Math.imul(hash ^ part, 16777619);
    hash ^= hash >>> 13;
  }
  return ((Math.imul(hash, 2246822519) >>> 0) % 100_000) / 100_000;
}

/** The orders of one day, in order of time: whether each user orders, when, for how much, and whether again on the next day. */
function ordersOf(day) {
  const orders = [];
  for (let user = 1001; user <= 1000 + USERS; user++) {
    const eagerness = 0.1 + 0.6 * chance(user);
    const orderOn = (any) => chance(user, any, 1) < eagerness;
    if (!orderOn(day)) continue;
    const at = day * DAY + Math.floor(chance(user, day, 2) * DAY);
    const amount = (5 + 95 * chance(user, day, 3)).toFixed(2);
    orders.push({ at, line: `${user},${new Date(at).toISOString()},${amount},${orderOn(day + 1)}` });
  }
  return orders.sort((a, b) => a.at - b.at);
}

const now = Date.now();
const today = Math.floor(now / DAY);
const before = existsSync(FILE) ? readFileSync(FILE, 'utf8').trim().split('\n').slice(1) : [];
const last = before.length > 0 ? Date.parse(before.at(-1).split(',')[1]) : -Infinity;
const first = before.length > 0 ? Math.floor(last / DAY) : today - 30;
const added = [];
for (let day = first; day <= today; day++)
  for (const { at, line } of ordersOf(day)) if (at > last && at <= now) added.push(line);
mkdirSync(dirname(FILE), { recursive: true });
writeFileSync(FILE, `${['user_id,ordered_at,amount,again', ...before, ...added].join('\n')}\n`);
console.log(`${FILE}: ${added.length} orders added, ${before.length + added.length} in all`);
