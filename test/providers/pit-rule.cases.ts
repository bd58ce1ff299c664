import type { Schema } from '../../definitions/types.js';
import type { TestJoin, TestView } from '../support/offline-join.js';
import type { Values } from '../support/pit-reference.js';

export const POINT_IN_TIME_LABELS = {
  k: 'string',
  j: 'int64',
  t: 'timestamp',
  y: 'int32',
} as const satisfies Schema;

export const POINT_IN_TIME_VIEW = {
  k: 'string',
  j: 'int64',
  event: 'timestamp',
  created: 'timestamp',
  v: 'float64',
  s: 'string',
} as const satisfies Schema;

/** One sentence of the rule: labels and one view's rows, and the view's values that each label gets, in their order. */
export interface PointInTimeCase {
  readonly says: string;
  readonly labels: readonly Values[];
  readonly rows: readonly Values[];
  readonly expected: readonly (readonly unknown[])[];
  readonly view: Partial<TestView>;
  /** The view has no timestamps. */
  readonly constant?: boolean;
  /** The view has no created timestamp. */
  readonly uncreated?: boolean;
  /** The labels have no time. */
  readonly timeless?: boolean;
}

/** The join of a case; every label and row has the keys k = 'a' and j = 1 unless it says otherwise. */
export function joinOf(given: Partial<PointInTimeCase> & Pick<PointInTimeCase, 'labels' | 'rows'>): TestJoin {
  const { labels, rows, view = {}, constant = false, uncreated = false, timeless = false } = given;
  const timed = constant ? {} : { timestampField: 'event' };
  return {
    spine: {
      schema: POINT_IN_TIME_LABELS,
      rows: labels.map((label, y) => ({ k: 'a', j: 1n, y, ...label })),
      ...(timeless ? {} : { timestampField: 't' }),
    },
    label: 'y',
    views: [
      {
        schema: POINT_IN_TIME_VIEW,
        rows: rows.map((row) => ({ k: 'a', j: 1n, ...row })),
        on: { k: 'k' },
        columns: ['v', 's'],
        ...timed,
        ...(uncreated ? {} : { createdTimestampField: 'created' }),
        ...view,
      },
    ],
  };
}

const HOUR = 3_600_000_000n;
const BIG = 9007199254740993n;
/** A time of the test's day, or a whole instant. */
const at = (time: string): string => (time.includes(' ') ? time : `2001-03-04 ${time}`);
/** A label at a time; NULL: none. */
const l = (time: string | null = '12:00', more: Values = {}): Values => ({
  t: time === null ? null : at(time),
  ...more,
});
/** A feature row: event time, value, text, created time. */
const f = (
  event: string | null,
  v: number | null,
  s: string | null = null,
  created: string | null = null,
): Values => ({
  event: event === null ? null : at(event),
  v,
  s,
  created: created === null ? null : at(created),
});
const key = (k: string | null, row: Values): Values => ({ ...row, k });
const number = (j: bigint | null, row: Values): Values => ({ ...row, j });

function rule(
  says: string,
  labels: readonly Values[],
  rows: readonly Values[],
  expected: readonly (readonly unknown[])[],
  view: Partial<TestView> = {},
  more: Partial<PointInTimeCase> = {},
): PointInTimeCase {
  return { says, labels, rows, expected, view, ...more };
}

const none = [null, null];
const one = [1, null];

export const POINT_IN_TIME_CASES: readonly PointInTimeCase[] = [
  rule(
    'the greatest event time not after the label',
    [l()],
    [f('10:00', 9), f('11:00', 1), f('13:00', 9)],
    [one],
  ),
  rule("a row at the label's own time counts", [l()], [f('12:00', 1), f('11:00', 9)], [one]),
  rule('a microsecond later does not', [l()], [f('12:00:00.000001', 9), f('11:59:59.999999', 1)], [one]),
  rule('only future rows: NULL, and the label stays', [l()], [f('13:00', 9)], [none]),
  rule('a row exactly as old as the TTL counts', [l()], [f('11:00', 1)], [one], { ttl: HOUR }),
  rule('a microsecond older does not', [l()], [f('10:59:59.999999', 9)], [none], { ttl: HOUR }),
  rule('a TTL of 0 is no limit', [l()], [f('1970-01-01 00:00', 1)], [one], { ttl: 0n }),
  rule('a TTL longer than all of time is no limit', [l()], [f('1900-01-01 00:00', 1)], [one], {
    ttl: 2n ** 62n,
  }),
  rule(
    'each label has its own window',
    [l('09:00'), l('11:00'), l()],
    [f('08:30', 1), f('11:30', 1)],
    [one, none, one],
    {
      ttl: HOUR,
    },
  ),
  rule(
    'among equal event times the greatest created',
    [l()],
    [f('11:00', 1, null, '11:30'), f('11:00', 9, null, '11:20')],
    [one],
  ),
  rule(
    'created after the label still counts',
    [l()],
    [f('11:00', 1, null, '15:00'), f('11:00', 9, null, '11:20')],
    [one],
  ),
  rule('a NULL created is least', [l()], [f('11:00', 9), f('11:00', 1, null, '1900-01-01 00:00')], [one]),
  rule(
    'event comes before created',
    [l()],
    [f('10:00', 9, null, '23:00'), f('11:00', 1, null, '01:00')],
    [one],
  ),
  rule(
    'without a created field it is not looked at',
    [l()],
    [f('11:00', 9, 'a', '01:00'), f('11:00', 1, 'a', '23:00')],
    [[9, 'a']],
    {},
    {
      uncreated: true,
    },
  ),
  rule('then the greatest first column', [l()], [f('12:00', 1, 'z'), f('12:00', 2, 'a')], [[2, 'a']]),
  rule('columns in definition order', [l()], [f('12:00', 1, 'z'), f('12:00', 2, 'a')], [['z', 1]], {
    columns: ['s', 'v'],
  }),
  rule('NaN is greatest', [l()], [f('12:00', Infinity, 'z'), f('12:00', NaN, 'a')], [[NaN, 'a']]),
  rule('NULL is least', [l()], [f('12:00', null, 'z'), f('12:00', -Infinity, 'a')], [[-Infinity, 'a']]),
  rule('-0.0 is 0.0', [l()], [f('12:00', -0, 'z'), f('12:00', 0, 'a')], [[0, 'z']]),
  rule(
    'texts by UTF-8 bytes',
    [l()],
    [f('12:00', 1, '￿'), f('12:00', 1, '😀'), f('12:00', 1, 'z')],
    [[1, '😀']],
  ),
  rule('equal rows are one', [l()], [f('12:00', 1), f('12:00', 1), f('12:00', 1)], [one]),
  rule('a NULL of the newest row is its value', [l()], [f('10:00', 9, 'old'), f('11:00', null)], [none]),
  rule(
    'a NULL key matches nothing, not even NULL',
    [l('12:00', { k: null }), l()],
    [key(null, f('11:00', 9))],
    [none, none],
  ),
  rule('duplicate labels stay', [l(), l(), l()], [f('11:00', 1)], [one, one, one]),
  rule('a label with a NULL time matches nothing and stays', [l(null), l()], [f('11:00', 1)], [none, one]),
  rule('only labels with a NULL time', [l(null)], [f('11:00', 9)], [none]),
  rule('a row with a NULL event time matches nothing', [l()], [f(null, 9)], [none]),
  rule(
    'before 1970',
    [l('1969-12-31 23:59:59.999999')],
    [f('1969-12-31 23:59:59.999998', 1), f('1970-01-01 00:00', 9)],
    [one],
    { ttl: 1n },
  ),
  rule(
    'another key is another entity',
    [l(), l('12:00', { k: 'B' }), l('12:00', { k: '' })],
    [key('b', f('12:00', 9)), key('', f('12:00', 1))],
    [none, none, one],
  ),
  rule(
    'two keys must both be equal',
    [l(), l('12:00', { j: 2n }), l('12:00', { j: null }), l('12:00', { k: 'b' })],
    [f('12:00', 1), number(BIG, f('12:00', 9))],
    [one, none, none, none],
    { on: { k: 'k', j: 'j' } },
  ),
  rule(
    'integers beyond 2^53 are told apart',
    [l('12:00', { j: BIG })],
    [number(BIG - 1n, f('12:00', 9)), number(BIG, f('11:00', 1))],
    [one],
    { on: { j: 'j' } },
  ),
  rule(
    'a view without timestamps is constant: its greatest row',
    [l('1900-01-01 00:00'), l(null), l('12:00', { k: 'z' })],
    [f('12:00', 1, 'z', '12:00'), f(null, 2, 'a'), f(null, null, 'b')],
    [[2, 'a'], [2, 'a'], none],
    {},
    { constant: true },
  ),
  rule(
    'a label without a timestamp takes the newest row',
    [l('1900-01-01 00:00'), l(null)],
    [f('10:00', 9), f('11:00', 9, null, '10:00'), f('11:00', 1, null, '11:00'), f(null, 9)],
    [one, one],
    { ttl: 1n },
    { timeless: true },
  ),
  rule('not even for a label without a timestamp', [l(null)], [f(null, 9)], [none], {}, { timeless: true }),
  // DuckDB 1.5 rewrites such a choice into an aggregate that a NULL in first place leads astray.
  rule(
    'a NULL beside greater texts is least, whichever comes first',
    [l(null)],
    [f(null, null), f(null, null, '😀'), f(null, null, 'a')],
    [['😀']],
    { columns: ['s'], on: { j: 'j' } },
    { constant: true, timeless: true },
  ),
  rule('an empty view gives NULL', [l()], [], [none]),
  rule('no labels, no rows', [], [f('12:00', 9)], []),
  rule('a float64 may be written as float32', [l()], [f('12:00', 0.1)], [[Math.fround(0.1)]], {
    columns: [['v', 'float32']],
  }),
];
