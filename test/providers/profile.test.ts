import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Profile } from '../../definitions/profile.js';
import { fileProfiler, tableProfiler, type Profiler } from '../support/profilers.js';
import { VALIDATE_CASES, VALIDATE_ROWS, VALIDATE_SCHEMA } from './offline-validate.conformance.js';
import { profileConformance } from './profile.conformance.js';

const ENGINES = { DuckDB: fileProfiler, Postgres: tableProfiler } as const;
const names = Object.keys(ENGINES) as (keyof typeof ENGINES)[];
const profilers = new Map<string, Profiler>();
beforeAll(async () => {
  for (const name of names) profilers.set(name, await ENGINES[name]());
});
afterAll(async () => {
  for (const profiler of profilers.values()) await profiler.close();
});
const by = (name: string): Profiler => profilers.get(name) as Profiler;

/** Numbers that look random, the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

for (const name of names) profileConformance(name, ENGINES[name]);

describe('a profile', () => {
  it('of random floats is what plain arithmetic says, byte for byte the same from both engines and on any number of threads', async () => {
    const schema = { x: 'float64', y: 'float32', n: 'int64' } as const;
    const random = numbers(7);
    const next = (): number => random.next().value;
    const rows = Array.from({ length: 3001 }, () => ({
      x: next() < 0.1 ? null : (next() - 0.5) * 10 ** Math.floor(next() * 40 - 20),
      y: Math.fround(next()),
      n: BigInt(Math.floor(next() * 50)),
    })).sort((a, b) => (a.x ?? -Infinity) - (b.x ?? -Infinity));
    const texts = new Set<string>();
    for (const name of names) texts.add(JSON.stringify(await by(name).profile(schema, rows)));
    const alone = await fileProfiler(1);
    texts.add(JSON.stringify(await alone.profile(schema, rows)));
    texts.add(JSON.stringify(await alone.profile(schema, [...rows].reverse())));
    await alone.close();
    expect(texts.size).toBe(1);
    const [text = ''] = texts;
    const { columns } = JSON.parse(text) as Profile;
    for (const { name, nulls, min, max, mean, quantiles } of columns) {
      const values = rows
        .flatMap((row) => (row[name as 'x'] === null ? [] : [Number(row[name as 'x'])]))
        .sort((a, b) => a - b);
      expect(nulls).toBe(rows.length - values.length);
      expect([Number(min), Number(max)]).toEqual([values[0], values.at(-1)]);
      const plain = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(mean).toBeCloseTo(plain, 10 - Math.ceil(Math.log10(Math.abs(plain))));
      expect(Object.values(quantiles ?? {}).map(Number)).toEqual(
        [1, 5, 25, 50, 75, 95, 99].map((p) => values[Math.ceil((p * values.length) / 100) - 1]),
      );
    }
  });

  it('takes the same rank on both engines for every number of values', async () => {
    for (const count of [1, 2, 3, 19, 20, 99, 100, 101, 199, 200, 300, 700, 1100, 2100, 4200]) {
      const rows = Array.from({ length: count }, (_, i) => ({ v: i + 1 }));
      for (const name of names) {
        const { columns } = await by(name).profile({ v: 'int32' }, rows);
        expect(Object.values(columns[0]?.quantiles ?? {}), `${name}, ${count}`).toEqual(
          [1, 5, 25, 50, 75, 95, 99].map((p) => Math.ceil((p * count) / 100)),
        );
      }
    }
  });
});

describe('rules over rows in a database', () => {
  it.each(VALIDATE_CASES.map((entry) => [JSON.stringify(entry[0]), entry] as const))(
    '%s',
    async (_, [rule, passed, observed, says]) => {
      expect(await by('Postgres').validate(VALIDATE_SCHEMA, VALIDATE_ROWS, [rule])).toEqual([
        { rule, passed, observed, message: expect.stringMatching(says) as string },
      ]);
    },
  );
});
