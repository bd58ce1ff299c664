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
  /** Only rows that are known at the label's time. */
  readonly knownAt?: boolean;
  /** The same view again with each of these lags, in columns after the view's own. */
  readonly lags?: readonly bigint[];
}

/** The join of a case; every label and row has the keys k = 'a' and j = 1 unless it says otherwise. */
export function joinOf(given: Partial<PointInTimeCase> & Pick<PointInTimeCase, 'labels' | 'rows'>): TestJoin {
  const { labels, rows, view = {}, constant = false, uncreated = false, timeless = false } = given;
  const { knownAt = false, lags = [] } = given;
  const first: TestView = {
    schema: POINT_IN_TIME_VIEW,
    rows: rows.map((row) => ({ k: 'a', j: 1n, ...row })),
    on: { k: 'k' },
    columns: ['v', 's'],
    ...(constant ? {} : { timestampField: 'event' }),
    ...(uncreated ? {} : { createdTimestampField: 'created' }),
    ...view,
  };
  return {
    spine: {
      schema: POINT_IN_TIME_LABELS,
      rows: labels.map((label, y) => ({ k: 'a', j: 1n, y, ...label })),
      ...(timeless ? {} : { timestampField: 't' }),
    },
    label: 'y',
    knownAt,
    views: [first, ...lags.map((lag) => ({ ...first, rows: 0, lag }))],
  };
}

export const HOUR = 3_600_000_000n;
export const BIG = 9007199254740993n;
/** A time of the test's day, a whole instant, or none. */
export const at = (time: string): string =>
  time.includes(' ') || time.endsWith('infinity') ? time : `2001-03-04 ${time}`;
/** A label at a time; NULL: none. */
export const l = (time: string | null = '12:00', more: Values = {}): Values => ({
  t: time === null ? null : at(time),
  ...more,
});
/** A feature row: event time, value, text, created time. */
export const f = (
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
export const key = (k: string | null, row: Values): Values => ({ ...row, k });
export const number = (j: bigint | null, row: Values): Values => ({ ...row, j });

export function rule(
  says: string,
  labels: readonly Values[],
  rows: readonly Values[],
  expected: readonly (readonly unknown[])[],
  view: Partial<TestView> = {},
  more: Partial<PointInTimeCase> = {},
): PointInTimeCase {
  return { says, labels, rows, expected, view, ...more };
}

export const none = [null, null];
export const one = [1, null];
