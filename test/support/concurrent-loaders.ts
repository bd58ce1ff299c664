import { expect } from 'vitest';
import type { OnlineProvider, OnlineView } from '../../providers/online/provider.js';
import { T0, userView } from '../providers/online-rows.js';

const DAY = 86_400_000_000n;
const ROWS_AT_A_TIME = 2000;

/** A version to load: the day that it holds, and its generation. */
interface Version {
  readonly day: number;
  readonly generation: number;
}

/** A random number generator of its own: the seed of a failure repeats it. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], next: () => number): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}

/** About two of three entities have a row on a day; the others keep the value of a day before. */
const isIn = (entity: number, { day }: Version): boolean => (entity * 31 + day * 17) % 3 !== 0;
const valueOf = (entity: number, { day, generation }: Version): bigint =>
  BigInt(entity * 1000 + day * 10 + generation);

/**
 * Several loaders, each with connections of its own, load every version of some days in an order of their own, in batches whose rows are in
 * another order each time. In the end each entity must have the row of its newest day, of the highest generation.
 */
export async function loadConcurrently(
  open: () => OnlineProvider,
  { entities, days, loaders, seed }: { entities: number; days: number; loaders: number; seed: number },
): Promise<void> {
  const view: OnlineView = userView();
  // Every other day was corrected once.
  const versions: Version[] = Array.from({ length: days }, (_, day) => [
    { day, generation: 1 },
    ...(day % 2 === 0 ? [{ day, generation: 2 }] : []),
  ]).flat();
  const providers = Array.from({ length: loaders }, open);
  try {
    await providers[0]?.prepare(view);
    await Promise.all(
      providers.map(async (provider, i) => {
        const next = random(seed + i);
        for (const version of shuffled(versions, next)) {
          const ids = shuffled(
            Array.from({ length: entities }, (_, id) => id).filter((id) => isIn(id, version)),
            next,
          );
          for (let from = 0; from < ids.length; from += ROWS_AT_A_TIME) {
            const part = ids.slice(from, from + ROWS_AT_A_TIME);
            await provider.write(view, 1, {
              rows: part.length,
              keys: [part.map(BigInt)],
              values: [part.map((id) => valueOf(id, version))],
              eventTimes: part.map(() => T0 + BigInt(version.day) * DAY),
              createdTimes: part.map(() => null),
              generations: part.map(() => version.generation),
            });
          }
        }
      }),
    );
    const wrong: unknown[] = [];
    for (let from = 0; from < entities; from += ROWS_AT_A_TIME) {
      const ids = Array.from({ length: Math.min(ROWS_AT_A_TIME, entities - from) }, (_, i) => from + i);
      const stored = await providers[0]?.read(
        view,
        ids.map((id) => [BigInt(id)]),
        ['f'],
      );
      for (const [i, id] of ids.entries()) {
        const last = versions.findLast((version) => isIn(id, version));
        const expected = last && valueOf(id, last);
        if (stored?.[i]?.values[0] !== expected) wrong.push({ id, expected, found: stored?.[i]?.values[0] });
      }
    }
    expect(wrong.slice(0, 5), `seed ${seed}`).toEqual([]);
  } finally {
    await providers[0]?.remove(view, () => Promise.resolve(true));
    await Promise.all(providers.map((provider) => provider.close()));
  }
}
