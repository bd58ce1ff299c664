import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Relation } from '../../providers/offline/provider.js';
import { failure, rejects } from '../support/offline-fixtures.js';
import { runJoin, type JoinEngine, type TestView } from '../support/offline-join.js';
import { pointInTimeCases } from './pit-cases.conformance.js';
import { joinOf, POINT_IN_TIME_LABELS, POINT_IN_TIME_VIEW } from './pit-case.js';
import { LAG_CASES } from './pit-lag.cases.js';
import { POINT_IN_TIME_CASES } from './pit-rule.cases.js';
import { pointInTimeProperty } from './pit-property.conformance.js';
import { splitConformance } from './pit-split.conformance.js';
import { statisticsConformance } from './pit-statistics.conformance.js';
import { whereConformance } from './pit-where.conformance.js';

const VIEW = POINT_IN_TIME_VIEW;
const LABELS = POINT_IN_TIME_LABELS;
const at = (time: string): string => `2001-03-04 ${time}`;
const NOON = at('12:00');

/** The point-in-time rule of providers/offline/provider.ts, sentence by sentence, and on random tables. */
export function pointInTimeConformance<R extends Relation>(
  name: string,
  open: () => Promise<JoinEngine<R>>,
): void {
  describe(`point in time on ${name}`, () => {
    let engine: JoinEngine<R>;
    beforeAll(async () => {
      engine = await open();
    });
    afterAll(() => engine.close());

    it.each([...POINT_IN_TIME_CASES, ...LAG_CASES].map((entry) => [entry.says, entry] as const))(
      '%s',
      async (_, entry) => {
        for (const rows of [entry.rows, entry.rows.toReversed()]) {
          const { rows: found, statistics } = await runJoin(engine, joinOf({ ...entry, rows }));
          expect(found).toEqual(entry.expected.map((values, y) => [...values, y]));
          expect(statistics.leaked).toBe(0);
          expect(statistics.rows).toBe(entry.labels.length);
        }
      },
    );

    it('one relation in two roles: origin and destination are both airports', async () => {
      const airports = [
        { k: 'SEA', event: NOON, v: 1 },
        { k: 'SFO', event: NOON, v: 2 },
      ];
      const schema = { origin: 'string', destination: 'string', t: 'timestamp', y: 'int32' } as const;
      const view = { schema: VIEW, timestampField: 'event', columns: ['v'] };
      const { rows, statistics } = await runJoin(engine, {
        spine: {
          schema,
          timestampField: 't',
          rows: [
            { origin: 'SEA', destination: 'SFO', t: NOON, y: 0 },
            { origin: 'SFO', destination: 'XXX', t: NOON, y: 1 },
          ],
        },
        columns: ['destination', 'origin'],
        label: 'y',
        views: [
          { ...view, rows: airports, on: { origin: 'k' } },
          { ...view, rows: 0, on: { destination: 'k' } },
        ],
      });
      expect(rows).toEqual([
        ['SFO', 'SEA', 1, 2, 0],
        ['XXX', 'SFO', 2, null, 1],
      ]);
      expect(statistics.matched).toEqual([2, 1]);
    });

    it('counts the rows that found a feature row, a view, also when its values are NULL', async () => {
      const { statistics } = await runJoin(engine, {
        spine: {
          schema: LABELS,
          timestampField: 't',
          rows: [
            { k: 'a', t: NOON, y: 0 },
            { k: 'b', t: NOON, y: 1 },
            { k: null, t: NOON, y: 2 },
          ],
        },
        label: 'y',
        views: [
          {
            schema: VIEW,
            rows: [{ k: 'a', event: NOON, v: null }],
            on: { k: 'k' },
            timestampField: 'event',
            columns: ['v'],
          },
          { schema: VIEW, rows: [{ k: 'a' }, { k: 'b' }], on: { k: 'k' }, columns: ['v'] },
        ],
      });
      expect(statistics).toMatchObject({ rows: 3, matched: [1, 2], leaked: 0 });
    });

    it('orders by the given spine columns, then every output column, NULL first', async () => {
      const { rows } = await runJoin(engine, {
        spine: {
          schema: LABELS,
          timestampField: 't',
          rows: [
            { k: 'b', t: NOON, y: 2 },
            { k: 'a', t: NOON, y: 1 },
            { k: 'b', t: NOON, y: 1 },
            { k: null, t: NOON, y: 9 },
          ],
        },
        label: 'y',
        orderBy: ['k'],
        views: [],
      });
      expect(rows).toEqual([[9], [1], [1], [2]]);
    });

    it('thousands of rows at one instant, few keys with long histories: right, and the same bytes again', async () => {
      const labels = Array.from({ length: 3000 }, (_, y) => ({
        k: y % 2 ? 'a' : 'b',
        t: at(`12:00:${String(y % 60).padStart(2, '0')}`),
        y,
      }));
      const history = Array.from({ length: 6000 }, (_, i) => ({
        k: i % 2 ? 'a' : 'b',
        event: i < 3000 ? NOON : at(`12:00:${String(i % 60).padStart(2, '0')}.5`),
        v: i,
      }));
      const hashes = new Set<string>();
      for (const rows of [history, history.toReversed()]) {
        const { rows: found, digest } = await runJoin(engine, joinOf({ labels, rows }));
        for (const [v, , y] of found as [number, null, number][]) {
          const second = y % 60;
          const candidates = history.filter(
            ({ k }, i) => k === (y % 2 ? 'a' : 'b') && (i < 3000 || i % 60 < second),
          );
          const latest = candidates.reduce((best, row) =>
            row.event > best.event || (row.event === best.event && row.v > best.v) ? row : best,
          );
          expect(v).toBe(latest.v);
        }
        hashes.add(digest);
      }
      expect(hashes.size).toBe(1);
    });

    it('refuses a value beyond float32, a type that does not narrow, a column that is not there', async () => {
      const labels = [{ t: NOON }];
      const rows = [{ event: NOON, v: 1e39 }];
      const join = (columns: TestView['columns']): Promise<unknown> =>
        runJoin(engine, joinOf({ labels, rows, view: { columns } }));
      await rejects(
        join([['v', 'float32']]),
        failure('ValueOutOfRange', 'training set x', '"v0__v"', 'float32', '1e+39'),
      );
      await rejects(join([['v', 'int64']]), failure('SchemaMismatch', 'view v0', '"v"', 'float64', 'int64'));
      await rejects(join(['w']), failure('SchemaMismatch', 'view v0', '"w"'));
    });

    pointInTimeCases(() => engine);
    whereConformance(() => engine);
    splitConformance(() => engine);
    statisticsConformance(() => engine);
    pointInTimeProperty(() => engine, Number(process.env['GRANARY_PROPERTY_CASES'] ?? 80));
  });
}
