import { describe, expect, it } from 'vitest';
import { intervalOfTick, unwatchedIntervals } from '../../definitions/watched-intervals.js';

/** The interval that a tick's watcher is for, and in brackets those before it that nobody may have watched; `start/end`. */
const watched = (zone: string, cron: string, tick: string, endDate?: string): string[] => {
  const rules = {
    ...{ schedule: { cron, timezone: zone }, startDate: '2026-01-10T00:00:00Z' },
    ...(endDate === undefined ? {} : { endDate }),
  };
  const own = intervalOfTick(rules, tick);
  return [
    ...unwatchedIntervals(rules, tick).map(({ start, end }) => `(${start}/${end})`),
    ...(own ? [`${own.start}/${own.end}`] : []),
  ];
};

/** By hand from the zones' laws: New York's clocks go from 02:00 to 03:00 on 8 March 2026 (07:00Z), and back from 02:00 to 01:00 on 1 November (06:00Z). */
describe('what the watcher of a tick watches', () => {
  it.each<[what: string, zone: string, cron: string, tick: string, readonly string[], endDate?: string]>([
    [
      ...(['its own interval', 'America/New_York', '30 2 * * *', '2026-03-07T07:30:00Z'] as const),
      ['2026-03-06T07:30:00Z/2026-03-07T07:30:00Z'],
    ],
    [
      ...([
        'the one whose end was skipped',
        'America/New_York',
        '30 2 * * *',
        '2026-03-09T06:30:00Z',
      ] as const),
      ['(2026-03-07T07:30:00Z/2026-03-08T07:30:00Z)', '2026-03-08T07:30:00Z/2026-03-09T06:30:00Z'],
    ],
    [
      ...([
        'that one no more a tick later',
        'America/New_York',
        '30 2 * * *',
        '2026-03-10T06:30:00Z',
      ] as const),
      ['2026-03-09T06:30:00Z/2026-03-10T06:30:00Z'],
    ],
    [
      ...(['the last one, skipped', 'America/New_York', '30 2 * * *', '2026-03-09T06:30:00Z'] as const),
      ['(2026-03-07T07:30:00Z/2026-03-08T07:30:00Z)'],
      '2026-03-08T08:00:00Z',
    ],
    [
      ...(['nothing after the last one', 'America/New_York', '30 2 * * *', '2026-03-12T06:30:00Z'] as const),
      [],
      '2026-03-11',
    ],
    ['nothing before the first one', 'America/New_York', '30 2 * * *', '2026-01-09T07:30:00Z', []],
    [
      ...([
        'what ended around the repeated hour',
        'America/New_York',
        '30 1 * * *',
        '2026-11-02T06:30:00Z',
      ] as const),
      ['(2026-10-31T05:30:00Z/2026-11-01T05:30:00Z)', '2026-11-01T05:30:00Z/2026-11-02T06:30:00Z'],
    ],
    [
      ...(['the hours around the gap', 'America/New_York', '0 * * * *', '2026-03-08T07:00:00Z'] as const),
      [
        '(2026-03-08T03:00:00Z/2026-03-08T04:00:00Z)',
        '(2026-03-08T04:00:00Z/2026-03-08T05:00:00Z)',
        '(2026-03-08T05:00:00Z/2026-03-08T06:00:00Z)',
        '2026-03-08T06:00:00Z/2026-03-08T07:00:00Z',
      ],
    ],
    [
      ...(['its own alone without changes of clocks', 'UTC', '30 2 * * *', '2026-03-09T02:30:00Z'] as const),
      ['2026-03-08T02:30:00Z/2026-03-09T02:30:00Z'],
    ],
  ])('%s: %s %s at %s', (_, zone, cron, tick, expected, endDate) => {
    expect(watched(zone, cron, tick, endDate)).toEqual(expected);
  });
});
