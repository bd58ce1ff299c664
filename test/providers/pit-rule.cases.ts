import { BIG, f, HOUR, key, l, none, number, one, rule, type PointInTimeCase } from './pit-case.js';

/** A row and a label each of twenty keys: a view of profiles. */
const profiles = Array.from({ length: 20 }, (_, i) => key(`p${i}`, f('10:00', i)));
const readers = profiles.map(({ k }) => l('12:00', { k }));
const own = profiles.map(({ v }) => [v, null]);

/** What a view's row is to a label. */
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
  rule(
    'NaN and infinities are values',
    [l(), l('13:00'), l('14:00')],
    [f('12:00', NaN), f('13:00', Infinity), f('14:00', -Infinity)],
    [
      [NaN, null],
      [Infinity, null],
      [-Infinity, null],
    ],
  ),
  rule('-0.0 is written as 0.0', [l()], [f('12:00', -0)], [[0, null]]),
  rule(
    'integers beyond 2^53 are values to the last digit',
    [l()],
    [number(BIG, f('12:00', 1)), number(BIG - 1n, f('12:00', 1))],
    [[BIG]],
    {
      columns: ['j'],
    },
  ),
  rule(
    'an instant is the same in every zone',
    [l('2001-03-04 21:00:00+09:00'), l('2001-03-04 06:59:59.999999-05:00')],
    [f('2001-03-04 14:00:00+02:00', 1), f('2001-03-03 23:00:00-01:00', 2)],
    [one, [2, null]],
  ),
  rule(
    'a day that a zone lengthens is no day longer',
    [l('2001-04-02 11:00')],
    [f('2001-04-01 11:00', 1)],
    [one],
    {
      ttl: 24n * HOUR,
    },
  ),
  rule(
    'any Unicode, by its code points: in keys',
    [l('12:00', { k: 'é' }), l('12:00', { k: 'e\u0301' }), l('12:00', { k: '😀 ' }), l('12:00', { k: 'É' })],
    [
      key('é', f('12:00', 1)),
      key('e\u0301', f('12:00', 2)),
      key('😀', f('12:00', 9)),
      key('é ', f('12:00', 9)),
    ],
    [one, [2, null], none, none],
  ),
  rule(
    'any Unicode in values',
    [l()],
    [f('12:00', 1, '\u0001"\'\\\n\u200d👩‍👩‍👧 אב ﷽')],
    [[1, '\u0001"\'\\\n\u200d👩‍👩‍👧 אב ﷽']],
  ),
  rule(
    'texts that only the case or a space tells apart',
    [l('12:00', { k: 'A' }), l('12:00', { k: 'a ' })],
    [f('12:00', 9), key('A', f('12:00', 1))],
    [one, none],
  ),
  rule(
    'a NULL in one of two keys matches nothing',
    [l('12:00', { k: null })],
    [key(null, f('12:00', 9)), f('12:00', 9)],
    [none],
    {
      on: { k: 'k', j: 'j' },
    },
  ),
  rule(
    'two keys are a pair, not a text',
    [l('12:00', { k: 'a1', j: 1n })],
    [key('a', number(11n, f('12:00', 9))), key('a1', f('12:00', 1))],
    [one],
    {
      on: { k: 'k', j: 'j' },
    },
  ),
  rule('an empty view of labels without a time', [l(null)], [], [none], {}, { timeless: true }),
  rule('an empty view without timestamps', [l()], [], [none], {}, { constant: true }),
  rule('nothing at all', [], [], []),
  rule('one row a key: each its own', readers, profiles, own),
  rule(
    'almost one row a key: the newest of two, each label its own',
    [...readers, l('10:30', { k: 'p0' }), l('09:59', { k: 'p0' })],
    [key('p0', f('11:00', 100)), ...profiles],
    [[100, null], ...own.slice(1), [0, null], none],
  ),
  rule(
    'almost one row a key: among equal event times the greatest created',
    readers,
    [...profiles, key('p0', f('10:00', -1, null, '11:30')), key('p0', f('10:00', -2, null, '11:20'))],
    [[-1, null], ...own.slice(1)],
  ),
  rule(
    'almost one row a key: a TTL ends the newest, and no older one takes its place',
    [...readers, l('11:30', { k: 'p0' })],
    [...profiles, key('p0', f('10:20', 100))],
    [...readers.map(() => none), none],
    { ttl: HOUR },
  ),
  rule(
    'almost one row a key: an older one within the TTL still counts at its time',
    [...readers, l('10:10', { k: 'p0' })],
    [...profiles, key('p0', f('11:30', 100))],
    [[100, null], ...readers.slice(1).map(() => none), [0, null]],
    { ttl: HOUR },
  ),
];
