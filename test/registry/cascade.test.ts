import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../definitions/compile.js';
import type { Resource } from '../../definitions/contract.js';
import { cascade } from '../../registry/cascade.js';
import { ticking } from '../fixtures/ticking.js';

let folder: string;
let resources: ReadonlyMap<string, Resource>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'granary-cascade-'));
  ({ resources } = compile(ticking('cascade', folder, { looking: true })));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const day = (n: number) => ({
  start: new Date(Date.UTC(2026, 0, n)).toISOString().replace('.000', ''),
  end: new Date(Date.UTC(2026, 0, n + 1)).toISOString().replace('.000', ''),
});
const idOf = (name: string): string => [...resources.values()].find((each) => each.name === name)?.id ?? '';

/** `sums` reads `ticks` of its own day and of 30 days before. */
describe('what reads what is made anew', () => {
  it.each<[what: string, anew: readonly [number, string][], expected: readonly number[]]>([
    ['nothing, where nothing is', [], []],
    ['the days that look back on it, and its own, but none beyond', [[1, 'ticks']], [1, 2, 30, 31]],
    ['no day before it', [[31, 'ticks']], [31, 32, 40]],
    ['nobody, of what nobody reads', [[1, 'sums']], []],
    [
      'of two the last that is near enough',
      [
        [1, 'ticks'],
        [2, 'ticks'],
      ],
      [1, 2, 30, 31, 32],
    ],
  ])('%s', (_, anew, expected) => {
    const days = [1, 2, 30, 31, 32, 40].map((n) => ({
      n,
      interval: day(n),
      made: anew.flatMap(([of, name]) => (of === n ? [idOf(name)] : [])),
    }));
    const found = cascade(resources, [idOf('ticks'), idOf('sums')], days);
    expect(days.filter(({ interval }) => found.has(interval)).map(({ n }) => n)).toEqual(expected);
  });
});
