import { describe, expect, it } from 'vitest';
import { runJoin, type JoinEngine, type TestJoin, type TestView } from '../support/offline-join.js';
import { failure, rejects } from '../support/offline-fixtures.js';
import { joinOf, POINT_IN_TIME_LABELS, POINT_IN_TIME_VIEW } from './pit-case.js';

const at = (time: string): string => `2001-03-04 ${time}`;
const MINUTE = 60_000_000;

/** What a join tells of itself. */
export function statisticsConformance(engine: () => JoinEngine): void {
  const label = (time: string | null): object => ({ t: time === null ? null : at(time) });
  const row = (event: string | null, created: string | null): object => ({
    event: event === null ? null : at(event),
    created: created === null ? null : at(created),
    v: null,
  });
  const labels = ['10:00', '11:00', '12:00', '13:00', null].map(label) as TestJoin['spine']['rows'];
  const rows = [
    row('09:00', '09:00'),
    row('10:30', '11:30'),
    row('12:00', null),
  ] as TestJoin['spine']['rows'];
  const statistics = async (given: Partial<Parameters<typeof joinOf>[0]>): Promise<unknown> =>
    (await runJoin(engine(), joinOf({ labels, rows, ...given }))).statistics;

  describe('counts', () => {
    it('the rows created after the label, and the ages: smallest, lower median, largest', async () => {
      expect(await statistics({})).toEqual({
        rows: 5,
        matched: [4],
        leaked: 0,
        createdLater: [1], // 11:00 sees what was created at 11:30
        ages: [{ min: 0, median: 30 * MINUTE, max: 60 * MINUTE }],
      });
    });

    it('none created later among what was known', async () => {
      expect(await statistics({ knownAt: true })).toMatchObject({
        matched: [4],
        createdLater: [0],
        ages: [{ min: 60 * MINUTE, median: 90 * MINUTE, max: 150 * MINUTE }],
      });
    });

    it('ages from the label less the lag, created from the label', async () => {
      expect(await statistics({ view: { lag: 3_600_000_000n } })).toMatchObject({
        matched: [4],
        leaked: 0,
        createdLater: [0],
        ages: [{ min: 0, median: 0, max: 60 * MINUTE }],
      });
    });

    it('to the microsecond, also below 1970', async () => {
      const one = {
        labels: [{ t: '1969-12-31 23:59:59.999999' }],
        rows: [{ event: '1969-12-31 23:59:59.000001', v: 1 }],
      };
      expect(await statistics(one)).toMatchObject({
        ages: [{ min: 999_998, median: 999_998, max: 999_998 }],
      });
    });

    it('nothing later and no age without a match, without timestamps, without a label time', async () => {
      expect(await statistics({ rows: [row('14:00', '15:00')] as never })).toMatchObject({
        matched: [0],
        createdLater: [0],
        ages: [undefined],
      });
      expect(await statistics({ constant: true })).toMatchObject({
        matched: [5],
        createdLater: [0],
        ages: [undefined],
      });
      expect(await statistics({ timeless: true })).toMatchObject({
        matched: [5],
        createdLater: [0],
        ages: [undefined],
      });
      expect(await statistics({ labels: [] })).toMatchObject({
        rows: 0,
        matched: [0],
        createdLater: [0],
        ages: [undefined],
      });
    });

    it('of every view its own', async () => {
      const base = { schema: POINT_IN_TIME_VIEW, on: { k: 'k' }, columns: ['v'] } satisfies Partial<TestView>;
      const history = [{ k: 'a', event: at('11:00'), created: at('13:00'), v: 1 }];
      const { statistics: found } = await runJoin(engine(), {
        spine: {
          schema: POINT_IN_TIME_LABELS,
          timestampField: 't',
          rows: [{ k: 'a', t: at('12:00'), y: 0 }],
        },
        label: 'y',
        views: [
          { ...base, rows: history },
          { ...base, rows: 0, timestampField: 'event' },
          { ...base, rows: 0, timestampField: 'event', createdTimestampField: 'created' },
        ],
      });
      const hour = { min: 60 * MINUTE, median: 60 * MINUTE, max: 60 * MINUTE };
      expect(found).toMatchObject({
        matched: [1, 1, 1],
        createdLater: [0, 0, 1],
        ages: [undefined, hour, hour],
      });
    });

    it('refuses knownAt over a view that does not say when its rows were created', async () => {
      await rejects(
        statistics({ knownAt: true, uncreated: true }),
        failure('InvalidDefinition', 'training set x', 'view v0', 'createdTimestampField'),
      );
    });
  });
}
