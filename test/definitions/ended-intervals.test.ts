import { describe, expect, it } from 'vitest';
import { endedIntervals } from '../../definitions/ended-intervals.js';

interface Case {
  readonly cron: string;
  readonly timezone: string;
  readonly from?: string;
  readonly to?: string;
  readonly now?: string;
  /** How many, the first start, the last end, whether some were left out. */
  readonly found: readonly [
    count: number,
    first?: string | undefined,
    last?: string | undefined,
    isCut?: boolean,
  ];
}

const CASES: Readonly<Record<string, Case>> = {
  'a date is a local one': {
    ...{ cron: '0 0 * * *', timezone: 'Asia/Seoul', from: '2026-01-10', to: '2026-01-12' },
    found: [2, '2026-01-09T15:00:00Z', '2026-01-11T15:00:00Z'],
  },
  'a local date that has not begun in UTC has its hours': {
    ...{ cron: '0 * * * *', timezone: 'Pacific/Auckland', from: '2026-06-02', now: '2026-06-01T15:30:00Z' },
    found: [3, '2026-06-01T12:00:00Z', '2026-06-01T15:00:00Z'],
  },
  'a local date that has ended in UTC alone has the rest of its hours': {
    ...{ cron: '0 * * * *', timezone: 'America/Los_Angeles', to: '2026-06-02', from: '2026-06-01T23:00:00Z' },
    found: [8, '2026-06-01T23:00:00Z', '2026-06-02T07:00:00Z'],
  },
  'a midnight that clocks are put forward over is as much later': {
    ...{ cron: '0 0 * * *', timezone: 'Africa/Cairo', from: '2026-04-24', to: '2026-04-25' },
    found: [1, '2026-04-23T22:00:00Z', '2026-04-24T21:00:00Z'],
  },
  'an interval lies within whole': {
    ...{ cron: '30 2 * * *', timezone: 'Asia/Kathmandu', from: '2026-01-10', to: '2026-01-12' },
    found: [1, '2026-01-09T20:45:00Z', '2026-01-10T20:45:00Z'],
  },
  'what has not ended is left out, and told': {
    ...{ cron: '0 0 * * *', timezone: 'UTC', from: '2026-01-10', to: '2026-02-01' },
    now: '2026-01-12T05:00:00Z',
    found: [2, '2026-01-10T00:00:00Z', '2026-01-12T00:00:00Z', true],
  },
  'nothing has begun yet': {
    ...{ cron: '0 0 * * *', timezone: 'UTC', now: '2025-06-01T00:00:00Z' },
    found: [0, undefined, undefined, true],
  },
};

describe('the intervals of a span', () => {
  it.each(Object.entries(CASES))(
    '%s',
    (_, { cron, timezone, now = '2027-01-01T00:00:00Z', found, ...span }) => {
      const pipeline = { schedule: { cron, timezone }, startDate: '2026-01-01T00:00:00Z' };
      const { all, isCut } = endedIntervals(pipeline, span, now);
      const [count, first, last, cut = false] = found;
      expect([all.length, all[0]?.start, all.at(-1)?.end, isCut]).toEqual([count, first, last, cut]);
    },
  );

  it('goes from a time to a later one', () => {
    const pipeline = { schedule: { cron: '0 0 * * *', timezone: 'UTC' }, startDate: '2026-01-01T00:00:00Z' };
    expect(() => endedIntervals(pipeline, { from: '2026-02-01', to: '2026-02-01' }, '2027-01-01')).toThrow(
      /from is 2026-02-01, and to is 2026-02-01/,
    );
  });
});
