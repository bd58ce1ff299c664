import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ColumnProfile } from '../../definitions/profile.js';
import type { Schema } from '../../definitions/types.js';
import type { Profiler } from '../support/profilers.js';

type Rows = readonly Readonly<Record<string, unknown>>[];

const of = (type: Schema[string], ...values: readonly unknown[]): [Schema, Rows] => [
  { v: type },
  values.map((v) => ({ v })),
];
const all = <T>(value: T): Record<'p01' | 'p05' | 'p25' | 'p50' | 'p75' | 'p95' | 'p99', T> => ({
  ...{ p01: value, p05: value, p25: value, p50: value, p75: value, p95: value, p99: value },
});

/** What one column's profile is; `nulls` of how many rows first. Worked out by hand. */
const CASES: readonly [
  what: string,
  rows: [Schema, Rows],
  found: Omit<ColumnProfile, 'name' | 'type' | 'nullRate'>,
][] = [
  ['no rows', of('float64'), { nulls: 0, nan: 0 }],
  ['nothing but NULL', of('int64', null, null), { nulls: 2 }],
  [
    'truth values',
    of('bool', null, false, true, true),
    {
      nulls: 1,
      min: false,
      max: true,
      top: [
        { value: true, count: 2 },
        { value: false, count: 1 },
      ],
    },
  ],
  [
    'integers',
    of('int32', -5, 1, 1, 2),
    {
      ...{ nulls: 0, min: -5, max: 2, mean: -0.25 },
      quantiles: { p01: -5, p05: -5, p25: -5, p50: 1, p75: 1, p95: 2, p99: 2 },
      top: [
        { value: 1, count: 2 },
        { value: -5, count: 1 },
        { value: 2, count: 1 },
      ],
    },
  ],
  [
    'integers beyond 2^53: neighbours stay apart, and their sum does not overflow',
    of('int64', 9007199254740992n, 9007199254740993n, 9223372036854775807n, 9223372036854775807n),
    {
      ...{ nulls: 0, min: '9007199254740992', max: '9223372036854775807', mean: 4616189618054758400 },
      quantiles: {
        ...{
          p01: '9007199254740992',
          p05: '9007199254740992',
          p25: '9007199254740992',
          p50: '9007199254740993',
        },
        ...{ p75: '9223372036854775807', p95: '9223372036854775807', p99: '9223372036854775807' },
      },
      top: [
        { value: '9223372036854775807', count: 2 },
        { value: '9007199254740992', count: 1 },
        { value: '9007199254740993', count: 1 },
      ],
    },
  ],
  [
    'NaN is counted and left out; infinities are values, but not of the mean',
    of('float64', null, -Infinity, 1.5, 2.5, Infinity, NaN, NaN),
    {
      ...{ nulls: 1, nan: 2, min: '-Infinity', max: 'Infinity', mean: 2 },
      quantiles: {
        ...{ p01: '-Infinity', p05: '-Infinity', p25: '-Infinity', p50: 1.5, p75: 2.5 },
        ...{ p95: 'Infinity', p99: 'Infinity' },
      },
      top: [
        { value: '-Infinity', count: 1 },
        { value: 1.5, count: 1 },
        { value: 2.5, count: 1 },
        { value: 'Infinity', count: 1 },
      ],
    },
  ],
  ['nothing but NaN', of('float64', NaN, NaN), { nulls: 0, nan: 2 }],
  [
    'nothing but an infinity has no mean',
    of('float32', Infinity),
    {
      nulls: 0,
      nan: 0,
      min: 'Infinity',
      max: 'Infinity',
      quantiles: all('Infinity'),
      top: [{ value: 'Infinity', count: 1 }],
    },
  ],
  [
    'the greatest and the least floats: no overflow, no loss of the small ones among themselves',
    of('float64', -1.7976931348623157e308, 5e-324, 1.7976931348623157e308),
    {
      ...{ nulls: 0, nan: 0, min: -1.7976931348623157e308, max: 1.7976931348623157e308, mean: 0 },
      quantiles: {
        ...{
          p01: -1.7976931348623157e308,
          p05: -1.7976931348623157e308,
          p25: -1.7976931348623157e308,
          p50: 5e-324,
        },
        ...{ p75: 1.7976931348623157e308, p95: 1.7976931348623157e308, p99: 1.7976931348623157e308 },
      },
      top: [
        { value: -1.7976931348623157e308, count: 1 },
        { value: 5e-324, count: 1 },
        { value: 1.7976931348623157e308, count: 1 },
      ],
    },
  ],
  [
    'floats that are nearly nothing',
    of('float64', 5e-324, 1e-323),
    {
      ...{ nulls: 0, nan: 0, min: 5e-324, max: 1e-323, mean: 1e-323 },
      quantiles: { ...all(1e-323), p01: 5e-324, p05: 5e-324, p25: 5e-324, p50: 5e-324 },
      top: [
        { value: 5e-324, count: 1 },
        { value: 1e-323, count: 1 },
      ],
    },
  ],
  [
    'zeros of either sign are one',
    of('float64', -0, 0),
    { nulls: 0, nan: 0, min: 0, max: 0, mean: 0, quantiles: all(0), top: [{ value: 0, count: 2 }] },
  ],
  [
    'single precision is shown as the number that it is',
    of('float32', Math.fround(0.1)),
    {
      ...{ nulls: 0, nan: 0, min: 0.10000000149011612, max: 0.10000000149011612, mean: 0.10000000149011612 },
      quantiles: all(0.10000000149011612),
      top: [{ value: 0.10000000149011612, count: 1 }],
    },
  ],
  [
    'texts by their bytes, whatever the language',
    of('string', '', 'B', 'Z', 'a', 'a', 'ä', '🦆'),
    {
      ...{ nulls: 0, min: '', max: '🦆' },
      top: [{ value: 'a', count: 2 }, ...['', 'B', 'Z', 'ä', '🦆'].map((value) => ({ value, count: 1 }))],
    },
  ],
  [
    'a long text is cut between characters',
    of('string', '🦆'.repeat(201)),
    {
      ...{ nulls: 0, min: `${'🦆'.repeat(200)}...`, max: `${'🦆'.repeat(200)}...` },
      top: [{ value: `${'🦆'.repeat(200)}...`, count: 1 }],
    },
  ],
  [
    'more than ten values: the ten most frequent, and of equals the least',
    of('int32', ...Array.from({ length: 12 }, (_, i) => i), 11),
    {
      ...{ nulls: 0, min: 0, max: 11, mean: 77 / 13 },
      quantiles: { p01: 0, p05: 0, p25: 3, p50: 6, p75: 9, p95: 11, p99: 11 },
      top: [{ value: 11, count: 2 }, ...Array.from({ length: 9 }, (_, value) => ({ value, count: 1 }))],
    },
  ],
  [
    'instants to the microsecond, before 1970 too',
    of('timestamp', '0001-01-01T00:00:00Z', '1969-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'),
    {
      ...{ nulls: 0, min: '0001-01-01T00:00:00Z', max: '9999-12-31T23:59:59.999999Z' },
      quantiles: {
        ...{ p01: '0001-01-01T00:00:00Z', p05: '0001-01-01T00:00:00Z', p25: '0001-01-01T00:00:00Z' },
        ...{ p50: '1969-12-31T23:59:59.999999Z', p75: '9999-12-31T23:59:59.999999Z' },
        ...{ p95: '9999-12-31T23:59:59.999999Z', p99: '9999-12-31T23:59:59.999999Z' },
      },
      top: ['0001-01-01T00:00:00Z', '1969-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'].map(
        (value) => ({ value, count: 1 }),
      ),
    },
  ],
  ['bytes: NULLs alone are counted', of('bytes', null, new Uint8Array([1])), { nulls: 1 }],
  ['lists: NULLs alone are counted', of('list<int64>', null, [1n, 2n]), { nulls: 1 }],
];

/** Profiles, as data: equal rows give equal JSON on every engine. */
export function profileConformance(name: string, open: () => Promise<Profiler>): void {
  describe(`a profile by ${name}`, () => {
    let profiler: Profiler;
    beforeAll(async () => {
      profiler = await open();
    });
    afterAll(() => profiler.close());

    it.each(CASES)('%s', async (_, [schema, rows], found) => {
      const { nulls } = found;
      expect(JSON.parse(JSON.stringify(await profiler.profile(schema, rows)))).toEqual({
        rows: rows.length,
        columns: [
          {
            ...{ name: 'v', type: schema['v'] },
            nullRate: rows.length === 0 ? 0 : nulls / rows.length,
            ...found,
          },
        ],
      });
    });

    it('has the columns in their order, more of them than one scan takes, under any name', async () => {
      const schema = Object.fromEntries(
        Array.from({ length: 19 }, (_, i) => [`c"${i} ü`, i % 2 === 0 ? 'int32' : 'float64'] as const),
      );
      const row = (by: number): Record<string, number> =>
        Object.fromEntries(Object.keys(schema).map((name, i) => [name, i * by]));
      const { columns } = await profiler.profile(schema, [row(1), row(2), row(3)]);
      expect(columns.map(({ name, mean, quantiles }) => [name, mean, quantiles?.p50])).toEqual(
        Object.keys(schema).map((name, i) => [name, i * 2, i * 2]),
      );
    });

    it('takes quantiles and top values of every k-th row beyond a number of rows, all else of all', async () => {
      const schema = { a: 'int64', b: 'string' } as const;
      const rows = Array.from({ length: 1001 }, (_, i) => ({
        a: BigInt(i),
        b: i % 3 === 0 ? 'three' : 'other',
      }));
      const { sampledRows, columns } = await profiler.profile(schema, rows, 500);
      expect(sampledRows).toBe(334);
      expect(columns).toMatchObject([
        { min: '0', max: '1000', mean: 500, quantiles: { p01: '9', p50: '498', p99: '990' } },
        { nulls: 0, max: 'three', top: [{ value: 'three', count: 334 }] },
      ]);
      expect((await profiler.profile(schema, rows, 1001)).sampledRows).toBeUndefined();
    });
  });
}
