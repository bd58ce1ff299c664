/** A hash: the views of a project by the lowest promotion that may still write. */
export const fencesKey = (project: string): string => `__granary:fences:${project}`;

/** KEYS: the fences. ARGV: view, promotion. One command at a time is at work in Redis: no write is under way when this one ends. */
export const RAISE_FENCE = `local f = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if f < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 0`;
