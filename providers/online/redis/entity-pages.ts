import type { Redis } from 'ioredis';
import { GranaryError } from '../../../definitions/errors.js';
import type { EntityKeyVersion } from '../../../definitions/provider.js';
import { projectSuffix } from '../../../feast/redis-layout.js';
import { storedKeyReader } from '../../../feast/stored-key.js';
import type { EntityRows, OnlineRead, OnlineView, StoredRows } from '../provider.js';
import { presentRows } from '../stored-rows.js';

/** Keys that one SCAN looks at: it blocks the server for less than a millisecond. */
const KEYS_PER_SCAN = 1000;
/**
 * Keys that are remembered as seen. SCAN repeats a key only after its table has shrunk, and then one of the buckets it visited last: those
 * lie together in its order. So a window is enough, and the memory does not grow with the store.
 */
const REMEMBERED = 20_000;

/** What the pages are read with: each call may fail with an error that names the server. */
export interface PageSource {
  run<T>(command: (redis: Redis) => Promise<T>): Promise<T>;
  read(reads: readonly OnlineRead[]): Promise<StoredRows[]>;
  readonly description: string;
}

/**
 * All entities of a view by SCAN, each key read in whole; see OnlineProvider.entities. A cursor says nothing to another server, or to the same one
 * started anew, which would silently leave entities out: then it fails at the end.
 */
export async function* entityPages(
  source: PageSource,
  view: OnlineView,
  features: readonly string[],
  version: EntityKeyVersion,
): AsyncGenerator<EntityRows> {
  const keyOf = storedKeyReader(view.joinKeys, projectSuffix(view.project), version);
  const serverOf = async (redis: Redis): Promise<string> =>
    /run_id:(\w+)/.exec(await redis.info('server'))?.[1] ?? '';
  const server = await source.run(serverOf);
  let recent = new Set<string>();
  let before = new Set<string>();
  let cursor = '0';
  do {
    const [next, found] = await source.run((redis) =>
      redis.scanBuffer(cursor, 'MATCH', `*${view.project}`, 'COUNT', KEYS_PER_SCAN),
    );
    cursor = next.toString();
    const keys: (readonly unknown[])[] = [];
    for (const key of found) {
      const values = keyOf(key);
      if (!values) continue;
      const text = key.toString('latin1');
      if (recent.has(text) || before.has(text)) continue;
      if (recent.size >= REMEMBERED) [before, recent] = [recent, new Set()];
      recent.add(text);
      keys.push(values);
    }
    if (keys.length === 0) continue;
    const [rows] = await source.read([{ view, keys, features }]);
    const page = rows && presentRows(keys, rows);
    if (page && page.keys.length > 0) yield page;
  } while (cursor !== '0');
  if ((await source.run(serverOf)) !== server)
    throw new GranaryError(
      'ProviderUnreachable',
      `${source.description} was started anew or replaced while all rows of ${view.name} were read, so some may be absent. Read them again.`,
    );
}
