import { createHash } from 'node:crypto';

/** A Lua script and the SHA-1 by which EVALSHA calls it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Lua allows 250 registers a function: this many values and twice as many arguments of HSET fit. */
const GROUP = 50;
const scripts = new Map<number, Script>();

/**
 * The script that writes rows of a view with `features` features where they are newer, atomically for the call.
 *
 * KEYS: one a row, then the project's fences (contents.ts). ARGV: the field of `_ts`, the field of the order, the features' fields, the view's
 * name, the fields that a written row loses, then one string that holds all rows, each: u32 size of the row, u16 size of the mark, the mark (order, 28 bytes, then the `_ts` bytes), and per
 * feature u32 size and the value; sizes little-endian. Packing the rows so costs Lua nothing for a row that it skips, and
 * one call for the values of a row that it writes. The reply is `{written, older, unchanged}`.
 *
 * The stored row counts as ours when its `_ts` equals the copy in the mark; else Feast wrote since, or wrote alone, and
 * the event times decide, unless the promotion does. Where there is no `_ts` a tombstone (order.ts) holds off what is not newer; any other
 * row is written: Feast deleted the view.
 *
 * Orders are compared as numbers: Lua's `<` on strings goes by the locale of the server's process.
 */
export function writeScript(features: number): Script {
  const known = scripts.get(features);
  if (known) return known;
  const text = scriptText(features);
  const script = { text, sha: createHash('sha1').update(text).digest('hex') };
  scripts.set(features, script);
  return script;
}

function scriptText(features: number): string {
  return `local call, list, unpack, sub, byte = redis.call, unpack, struct.unpack, string.sub, string.byte
local K, A = KEYS, ARGV
local T, G, D = A[1], A[2], A[#A]
local fence = tonumber(call('HGET', K[#K], A[${features + 3}]) or '0')
local retired = #A > ${features + 4} and {list(A, ${features + 4}, #A - 1)}
local written, older, unchanged, p = 0, 0, 0, 1

local function varint(s, i)
  local hi, lo, j = 0, 0, 0
  while true do
    local b = byte(s, i) or 0
    local bits = b % 128
    if j < 4 then lo = lo + bits * 2 ^ (7 * j)
    elseif j == 4 then lo = lo + bits % 16 * 2 ^ 28 hi = (bits - bits % 16) / 16
    elseif j == 9 then hi = hi + bits % 2 * 2 ^ 31
    else hi = hi + bits * 2 ^ (7 * j - 32) end
    i = i + 1 j = j + 1
    if b < 128 or j > 9 then break end
  end
  if hi >= 2 ^ 31 then hi = hi - 2 ^ 32 end
  return hi, lo, i
end

local function instant(s)
  local hi, lo, nanos, i = 0, 0, 0, 1
  while i <= #s do
    local tag = byte(s, i)
    if tag == 8 then hi, lo, i = varint(s, i + 1)
    elseif tag == 16 then
      local high
      high, nanos, i = varint(s, i + 1)
    else break end
  end
  return hi, lo, nanos
end

local function later(s, t)
  local h1, l1, n1 = instant(s)
  local h2, l2, n2 = instant(t)
  if h1 ~= h2 then return h1 - h2 end
  if l1 ~= l2 then return l1 - l2 end
  return n1 - n2
end

local function compare(m, g)
  local a, b, c = unpack('>I4I4I4', m)
  local d, e, f = unpack('>I4I4I4', g)
  if a ~= d then return a - d end
  if b ~= e then return b - e end
  if c ~= f then return c - f end
  local h, i, j, k = unpack('>I4I4I4I4', m, 13)
  local q, r, s, t = unpack('>I4I4I4I4', g, 13)
  if h ~= q then return h - q end
  if i ~= r then return i - r end
  if j ~= s then return j - s end
  return k - t
end

for i = 1, #K - 1 do
  local k = K[i]
  local size, m, q = unpack('<I4I2c0', D, p)
  local t = sub(m, 29)
  local x = 1
  local st = call('HGET', k, T)
  local g = call('HGET', k, G)
  if st then
    if not g or #g < 28 then x = later(t, st)
    elseif sub(g, 29) == st then
      if g == m then x = 0 else x = compare(m, g) end
    else
      x = unpack('>I4', m) - unpack('>I4', g)
      if x == 0 then x = later(t, st) end
    end
  elseif g and #g == 29 and byte(g, 29) == 255 and compare(m, g) <= 0 then x = -1
  end
  if fence > 0 and unpack('>I4', m) < fence then x = -1 end
  if x > 0 then
${hashSets(features)}
    if retired then call('HDEL', k, list(retired)) end
    written = written + 1
  elseif x < 0 then older = older + 1
  else unchanged = unchanged + 1 end
  p = p + size
end
return {written, older, unchanged}`;
}

function hashSets(features: number): string {
  const lines: string[] = [];
  for (let from = 0; from === 0 || from < features; from += GROUP) {
    const count = Math.min(GROUP, features - from);
    const values = Array.from({ length: count }, (_, i) => `v${i}`);
    const pairs = values.map((value, i) => `A[${3 + from + i}], ${value}`);
    if (from === 0) pairs.push('T, t, G, m');
    const read =
      count > 0 ? `local ${values.join(', ')}, n = unpack('<${'I4c0'.repeat(count)}', D, q) q = n ` : '';
    lines.push(`    do ${read}call('HSET', k, ${pairs.join(', ')}) end`);
  }
  return lines.join('\n');
}
