import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import type { Schema } from '../../definitions/types.js';
import { runJoin, type JoinEngine, type TestView } from '../support/offline-join.js';
import { compareLists, referenceRow, type Values } from '../support/pit-reference.js';

const SPINE = { a: 'string', b: 'int64', t: 'timestamp', y: 'int32' } as const satisfies Schema;
const VIEW = {
  a: 'string',
  b: 'int64',
  event: 'timestamp',
  created: 'timestamp',
  x: 'float64',
  s: 'string',
} as const satisfies Schema;

// Small domains, so that keys meet, times tie and ages touch the TTL's ends.
const text = fc.constantFrom(null, '', 'a', 'é', '￿', '😀');
const key = fc.constantFrom(null, 0n, 1n, 9007199254740993n);
const time = fc.option(fc.bigInt({ min: -4n, max: 4n }), { nil: null, freq: 8 });
const float = fc.constantFrom(null, NaN, Infinity, -Infinity, -0, 0, 0.1);
const spineRows = fc.array(fc.record({ a: text, b: key, t: time, y: fc.integer({ min: 0, max: 3 }) }), {
  maxLength: 12,
});
const viewRows = fc.array(fc.record({ a: text, b: key, event: time, created: time, x: float, s: text }), {
  maxLength: 16,
});
const view = fc.record({
  keys: fc.constantFrom(['a'], ['b'], ['a', 'b']),
  timed: fc.constantFrom(true, true, true, false),
  created: fc.boolean(),
  ttl: fc.constantFrom(0n, 1n, 3n, 100n),
  columns: fc.constantFrom(['x', 's'], ['s', 'x'], ['s'], ['created', 'x']),
  rows: viewRows,
});

/** Random tables against the rule in 30 lines; a counterexample is shrunk and printed with its seed. */
export function pointInTimeProperty(engine: () => JoinEngine): void {
  const runs = Number(process.env['GRANARY_PROPERTY_CASES'] ?? 200);

  describe('any labels and any views', () => {
    it(
      `join as the reference says, row for row (${runs} cases)`,
      { timeout: 60_000 + runs * 1000 },
      async () => {
        const property = fc.asyncProperty(
          spineRows,
          fc.boolean(),
          fc.array(view, { minLength: 1, maxLength: 3 }),
          async (labels, timed, views) => {
            const expected = labels
              .map((label) => {
                const features = views.flatMap(({ rows, keys, timed: viewTimed, created, ttl, columns }) => {
                  const row = referenceRow(label, timed ? 't' : undefined, {
                    rows,
                    on: keys.map((name) => ({ spine: name, feature: name })),
                    ...(viewTimed ? { timestampField: 'event' } : {}),
                    ...(created ? { createdTimestampField: 'created' } : {}),
                    ttl,
                    columns,
                  });
                  return columns.map((column) => positiveZero(row?.[column] ?? null));
                });
                return [label.a, label.b, label.t, ...features, label.y];
              })
              .sort(compareLists);
            const { rows, statistics } = await runJoin(engine(), {
              spine: { schema: SPINE, rows: labels.map(asInput), ...(timed ? { timestampField: 't' } : {}) },
              columns: ['a', 'b', 't'],
              label: 'y',
              orderBy: ['a', 'b', 't'],
              views: views.map(
                ({ rows: given, keys, timed: viewTimed, created, ttl, columns }): TestView => ({
                  schema: VIEW,
                  rows: given.map(asInput),
                  on: Object.fromEntries(keys.map((name) => [name, name])),
                  ...(viewTimed ? { timestampField: 'event' } : {}),
                  ...(created ? { createdTimestampField: 'created' } : {}),
                  ttl,
                  columns,
                }),
              ),
            });
            expect(rows).toEqual(expected);
            expect(statistics.rows).toBe(labels.length);
            expect(statistics.leaked).toBe(0);
          },
        );
        await fc.assert(property, { numRuns: runs });
      },
    );
  });
}

const positiveZero = (value: unknown): unknown => (value === 0 ? 0 : value);

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
