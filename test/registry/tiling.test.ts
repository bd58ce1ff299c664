import { describe, expect, it } from 'vitest';
import { tiling } from '../../registry/tiling.js';

const at = (day: number): string => new Date(Date.UTC(2026, 0, day)).toISOString();

/** Versions as `[start, end)` in days, in the order in which they were committed. */
const made = (...spans: readonly (readonly [start: number, end: number])[]) =>
  spans.map(([start, end], i) => ({
    name: `${start}-${end}#${i}`,
    interval: { start: at(start), end: at(end) },
    madeAt: BigInt(i),
  }));

describe('of versions that overlap', () => {
  it.each([
    ['all count where none do', made([1, 2], [2, 3], [4, 5]), '1-2#0 2-3#1 4-5#2'],
    [
      'a newer one counts for those that it covers',
      made([1, 2], [2, 3], [3, 4], [1, 4], [4, 5]),
      '1-4#3 4-5#4',
    ],
    [
      'one that is covered and made again counts with its neighbours',
      made([1, 2], [3, 4], [1, 4], [2, 3]),
      '1-2#0 3-4#1 2-3#3',
    ],
    ['one without neighbours does not count for what covers it', made([1, 4], [2, 3], [1, 2]), '1-4#0'],
    ['the newest way through counts', made([1, 3], [3, 5], [1, 2], [2, 5]), '1-2#2 2-5#3'],
    [
      'a wide one takes none with it beyond its ends',
      made([1, 2], [2, 3], [3, 4], [4, 5], [2, 4]),
      '1-2#0 4-5#3 2-4#4',
    ],
    ['the newer of two of one interval counts', made([1, 2], [1, 2]), '1-2#1'],
    ['none count of none', made(), ''],
  ])('%s', (_, versions, expected) => {
    const { chosen, torn } = tiling(versions);
    expect(chosen.map(({ name }) => name).join(' ')).toBe(expected);
    expect(torn).toEqual([]);
  });

  it('those that do so in part are told, and all of them stay', () => {
    const versions = made([1, 2], [3, 5], [4, 6], [7, 8]);
    const { chosen, torn } = tiling(versions);
    expect(chosen).toEqual(versions);
    expect(torn.map((group) => group.map(({ name }) => name))).toEqual([['3-5#1', '4-6#2']]);
  });

  it('of ten years of days and one that covers them, the choice takes no time to speak of', () => {
    const days = Array.from({ length: 3650 }, (_, i) => [i + 1, i + 2] as const);
    expect(tiling(made(...days, [1, 3651])).chosen).toHaveLength(1);
    expect(tiling(made([1, 3651], ...days)).chosen).toHaveLength(3650);
    expect(tiling(made([1, 3651], ...days.toReversed())).chosen).toHaveLength(3650);
  });
});
