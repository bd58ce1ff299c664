import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import type { Schema } from '../../definitions/types.js';
import { runJoin, type JoinEngine, type TestJoin, type TestView } from '../support/offline-join.js';
import { compareLists, referenceRow, type ReferenceView, type Values } from '../support/pit-reference.js';

const SPINE = {
  a: 'string',
  b: 'int64',
  other: 'string',
  t: 'timestamp',
  y: 'int32',
} as const satisfies Schema;
const VIEW = {
  a: 'string',
  b: 'int64',
  event: 'timestamp',
  created: 'timestamp',
  x: 'float64',
  s: 'string',
  l: 'list<float64>',
  n: 'list<string>',
  z: 'bytes',
  d: 'bool',
} as const satisfies Schema;

// Small domains, so that keys meet, times tie and ages touch the ends of TTL and lag.
const text = fc.constantFrom(null, '', 'a', 'é', '￿', '😀');
const key = fc.constantFrom(null, 0n, 1n, 9007199254740993n);
const time = fc.option(fc.bigInt({ min: -4n, max: 4n }), { nil: null, freq: 8 });
const float = fc.constantFrom(null, NaN, Infinity, -Infinity, -0, 0, 0.1);
const label = fc.record({ a: text, b: key, other: text, t: time, y: fc.integer({ min: 0, max: 3 }) });
const list = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[] | null> =>
  fc.option(fc.array(item, { maxLength: 2 }), { nil: null, freq: 8 });
const row = fc.record({
  ...{ a: text, b: key, event: time, created: time, x: float, s: text },
  ...{ l: list(float), n: list(text), d: fc.constantFrom(null, false, true) },
  z: fc
    .constantFrom(null, '', '00', '7f', '80', 'ff00')
    .map((hex) => (hex === null ? null : Uint8Array.from(Buffer.from(hex, 'hex')))),
});
const view = fc.record({
  keys: fc.constantFrom({ a: 'a' }, { b: 'b' }, { a: 'a', b: 'b' }, { other: 'a' }),
  timed: fc.constantFrom(true, true, true, false),
  created: fc.boolean(),
  ttl: fc.constantFrom(0n, 0n, 1n, 3n, 100n),
  lag: fc.constantFrom(0n, 0n, 1n, 2n, 7n),
  columns: fc.constantFrom(
    ['x', 's'],
    ['s', 'x'],
    ['s'],
    ['created', 'x'],
    ['l', 'n'],
    ['n', 'd', 'x'],
    ['z', 'l'],
    ['d', 'z'],
  ),
  rows: fc.array(row, { maxLength: 16 }),
  /** The rows are those of the first view: a role, or a lag, of the same. */
  again: fc.boolean(),
});

/** A random join. */
export const joins = fc.record({
  labels: fc.array(label, { maxLength: 12 }),
  /** How often each label comes: engines may go about it in another way where a key has many. */
  copies: fc.constantFrom(1, 1, 1, 20),
  timed: fc.constantFrom(true, true, true, false),
  knownAt: fc.boolean(),
  views: fc.array(view, { minLength: 1, maxLength: 3 }),
});
type Join = typeof joins extends fc.Arbitrary<infer T> ? T : never;

/** Counterexamples that were found, shrunk; every run begins with them. */
const KEPT: readonly Join[] = [
  // In tables of more than 64 labels DuckDB's ASOF join took a label's NULL time for the latest of all.
  {
    labels: Array.from({ length: 4 }, () => ({ a: '', b: null, other: null, t: null, y: 0 })),
    copies: 20,
    timed: true,
    knownAt: false,
    views: [
      {
        keys: { a: 'a' },
        timed: true,
        created: false,
        ttl: 0n,
        lag: 0n,
        columns: ['x', 's'],
        again: false,
        rows: [
          { a: '', b: null, event: 0n, created: null, x: 0.1, s: null, l: null, n: null, d: null, z: null },
        ],
      },
    ],
  },
];

/**
 * Random tables against the rule in 30 lines; a counterexample is shrunk and printed with its seed, which GRANARY_SEED repeats, and is then kept.
 */
export function pointInTimeProperty(engine: () => JoinEngine, runs: number): void {
  const seed = process.env['GRANARY_SEED'];

  describe('any labels and any views', () => {
    it(
      `join as the reference says, row for row (${runs} cases)`,
      { timeout: 60_000 + runs * 1000 },
      async () => {
        const property = fc.asyncProperty(joins, async (join) => {
          const { rows, statistics } = await runJoin(engine(), asked(join));
          expect({ rows, statistics }).toEqual(expectedOf(join));
        });
        await fc.assert(property, {
          numRuns: runs,
          examples: KEPT.map((join) => [join]),
          ...(seed === undefined ? {} : { seed: Number(seed) }),
        });
      },
    );
  });
}

const labelsOf = ({ labels, copies }: Join): Join['labels'] =>
  labels.flatMap((one) => Array.from({ length: copies }, () => one));

/** The views as both sides take them; with `knownAt` every row says when it was created. */
function viewsOf({ views, knownAt }: Join): (ReferenceView & { readonly from: number })[] {
  return views.map(({ keys, timed, created, again, rows, ttl, lag, columns }, v) => ({
    from: again ? 0 : v,
    rows: again ? (views[0]?.rows ?? []) : rows,
    on: Object.entries(keys).map(([spine, feature]) => ({ spine, feature })),
    ...(timed ? { timestampField: 'event' } : {}),
    ...(created || knownAt ? { createdTimestampField: 'created' } : {}),
    ttl,
    lag,
    columns,
  }));
}

function asked(join: Join): TestJoin {
  return {
    spine: {
      schema: SPINE,
      rows: labelsOf(join).map(asInput),
      ...(join.timed ? { timestampField: 't' } : {}),
    },
    columns: ['a', 'b', 'other', 't'],
    label: 'y',
    orderBy: ['a', 'b', 't'],
    knownAt: join.knownAt,
    views: viewsOf(join).map(({ from, rows, on, ...view }, v): TestView => {
      const given = from === v ? rows.map(asInput) : from;
      return {
        ...view,
        schema: VIEW,
        rows: given,
        on: Object.fromEntries(on.map(({ spine, feature }) => [spine, feature])),
      };
    }),
  };
}

function expectedOf(join: Join): unknown {
  const time = join.timed ? 't' : undefined;
  const views = viewsOf(join);
  const joined = labelsOf(join).map((label) => ({
    label,
    found: views.map((view) => referenceRow(label, time, view, join.knownAt)),
  }));
  const rows = joined.map(({ label, found }) => {
    const features = views.flatMap(({ columns }, v) =>
      columns.map((column) => positiveZero(found[v]?.[column] ?? null)),
    );
    return [label.a, label.b, label.other, label.t, ...features, label.y];
  });
  // The output is ordered by these first, then by every column.
  const order = (of: readonly unknown[]): unknown[] => [of[0], of[1], of[3], ...of];
  const of = <T>(pick: (label: Values, row: Values, view: ReferenceView) => T): T[][] =>
    views.map((view, v) =>
      joined.flatMap(({ label, found }) => {
        const row = found[v];
        return row === undefined ? [] : [pick(label, row, view)];
      }),
    );
  const isTimed = ({ timestampField }: ReferenceView): boolean => timestampField !== undefined && join.timed;
  return {
    rows: rows.sort((one, other) => compareLists(order(one), order(other))),
    statistics: {
      rows: joined.length,
      matched: of(() => 1).map((found) => found.length),
      leaked: 0,
      createdLater: of(
        (label, row, view) =>
          isTimed(view) &&
          view.createdTimestampField !== undefined &&
          row['created'] !== null &&
          (row['created'] as bigint) > (label['t'] as bigint),
      ).map((found) => found.filter(Boolean).length),
      ages: of((label, row, view) =>
        isTimed(view) ? (label['t'] as bigint) - (view.lag ?? 0n) - (row['event'] as bigint) : undefined,
      ).map((found) => ageOf(found.filter((age) => age !== undefined))),
    },
  };
}

function ageOf(ages: readonly bigint[]): unknown {
  const sorted = ages.map(Number).sort((a, b) => a - b);
  const median = sorted[Math.ceil(sorted.length / 2) - 1];
  return median === undefined ? undefined : { min: sorted[0], median, max: sorted.at(-1) };
}

const positiveZero = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(positiveZero) : value === 0 ? 0 : value;

/** Microseconds as the texts that fixtures take. */
function asInput(row: Values): Values {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'bigint' && ['t', 'event', 'created'].includes(name)
        ? new Timestamp(value).toString()
        : value,
    ]),
  );
}
