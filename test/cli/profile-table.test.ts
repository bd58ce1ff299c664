import { describe, expect, it } from 'vitest';
import { duration, profileFacts } from '../../cli/profile-table.js';
import { facts } from '../../cli/table.js';
import type { VersionProfile } from '../../client/versions.js';

const quantiles = (p50: number | string) => ({
  ...{ p01: p50, p05: p50, p25: p50, p50, p75: p50, p95: p50, p99: p50 },
});

const SET: VersionProfile = {
  version: 'v_20260102T000000',
  interval: { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' },
  profile: {
    rows: 2_000_001,
    sampledRows: 666_667,
    columns: [
      {
        ...{
          name: 'at',
          type: 'timestamp',
          nulls: 0,
          nullRate: 0,
          quantiles: quantiles('2026-01-01T12:00:00.5Z'),
        },
        ...{ min: '2026-01-01T00:00:00Z', max: '2026-01-01T23:59:59.999999Z' },
        top: [
          { value: '2026-01-01T00:00:00Z', count: 1 },
          { value: '2026-01-01T00:00:01Z', count: 1 },
          { value: '2026-01-01T00:00:02Z', count: 1 },
        ],
      },
      {
        ...{ name: 'amount', type: 'float64', nulls: 1, nullRate: 1 / 2_000_001, nan: 2, min: '-Infinity' },
        ...{ max: 1234.56789, mean: 0.1234567, quantiles: quantiles(0.5) },
        top: [
          { value: 0, count: 333_333 },
          { value: 7, count: 2 },
        ],
      },
      { name: 'blob', type: 'bytes', nulls: 2_000_000, nullRate: 2_000_000 / 2_000_001 },
      {
        ...{ name: 'a_long_name_of_a_feature_column', type: 'string', nulls: 0, nullRate: 0 },
        ...{ min: 'line\none', max: 'z'.repeat(200), top: [{ value: 'line\none', count: 3 }] },
      },
      {
        ...{ name: 'fraud', type: 'bool', nulls: 1, nullRate: 0, min: false, max: true },
        top: [
          { value: false, count: 600_000 },
          { value: true, count: 66_667 },
        ],
      },
    ],
    joins: [
      {
        ...{
          view: 'spending for customer',
          columns: ['amount'],
          matched: 1_999_999,
          matchRate: 1_999_999 / 2_000_001,
        },
        ...{ createdLater: 3, age: { min: 0.25, median: 90, max: 200_000 } },
      },
      {
        ...{ view: 'country for customer', columns: ['blob'], matched: 0, matchRate: 0 },
        constant: "constant: may contain the label's future",
      },
    ],
  },
  validation: [
    { rule: { rule: 'notNull', column: 'at' }, passed: true, observed: 0, message: 'at: 0 rows are NULL' },
    { rule: { rule: 'rowCount', min: 9, severity: 'warn' }, passed: false, observed: 1, message: '1 row' },
  ],
};

const text = (width: number): string => facts(profileFacts(SET, { label: 'fraud', width }));

describe('the text of a profile', () => {
  it('tells columns, label, joins and rules', () => {
    expect(text(150))
      .toBe(`PROFILE (v_20260102T000000 of 2026-01-01: 2,000,001 rows; median and most frequent values of 666,667 of them)
  column                           type       null      min         median               mean      max                       most frequent
  at                               timestamp  0 %       2026-01-01  2026-01-01 12:00:00            2026-01-01 23:59:59       all different
  amount                           float64    <0.01 %   -Infinity   0.5                  0.123457  1234.57                   NaN 2, 0 50 %
  blob                             bytes      >99.99 %
  a_long_name_of_a_feature_column  string     0 %       line one                                   zzzzzzzzzzzzzzzzzzzzz...  none above 1 %
  fraud                            bool       <0.01 %   false                                      true                      false 90 %, true 10 %
LABEL BALANCE
  false  600000     90 %
  true    66667     10 %
  NULL        1  <0.01 %
JOINS
  view                   matched  rate      age min  median  max    created later
  spending for customer  1999999  >99.99 %  0.25s    1m 30s  2d 7h  3
  country for customer   0        0 %                                              constant: may contain the label's future
VALIDATION
  passed   notNull: at: 0 rows are NULL
  WARNING  rowCount: 1 row
`);
  });

  it.each([60, 80, 100, 120, 200])('has a table of columns within a terminal of %s characters', (width) => {
    const columns = text(width).split('LABEL BALANCE')[0]?.split('\n').slice(1) ?? [];
    expect(Math.max(...columns.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(columns[2]).toMatch(/^ {2}amount/);
  });

  it.each([
    [0, '0s'],
    [59.9994, '60s'],
    [61, '1m 1s'],
    [3600, '1h'],
    [90_061, '1d 1h'],
  ])('tells %s seconds as %s', (seconds, said) => {
    expect(duration(seconds)).toBe(said);
  });
});
