import { describe, expect, it } from 'vitest';
import { cronFields } from '../../definitions/cron.js';
import { dueIntervals } from '../../definitions/due-intervals.js';

/** `start/end` of what a run goes over in any case; in brackets what it makes only where it is missing. */
const due = (zone: string, cron: string, scheduled: string, over: object = {}): string[] =>
  dueIntervals(
    { schedule: { cron, timezone: zone }, startDate: '1990-01-01', ...over },
    scheduled,
    scheduled,
  ).map(({ interval: { start, end }, when }) =>
    when === 'always' ? `${start}/${end}` : `(${start}/${end})`,
  );

/**
 * Written by hand from the zones' laws, not computed: at which instant a schedule fires, and which intervals its run is for. Where a local time is
 * skipped there is no firing at all, and the next one makes up for it; where it is repeated there may be two.
 */
describe('what is due at a tick', () => {
  it.each<[string, string, string, readonly string[]]>([
    // New York: 02:00 EST is 03:00 EDT on 8 March 2026 (07:00Z); 02:00 EDT is 01:00 EST on 1 November (06:00Z).
    ['America/New_York', '30 2 * * *', '2026-03-07T07:30:00Z', ['2026-03-06T07:30:00Z/2026-03-07T07:30:00Z']],
    [
      ...(['America/New_York', '30 2 * * *', '2026-03-09T06:30:00Z'] as const),
      ['(2026-03-07T07:30:00Z/2026-03-08T07:30:00Z)', '2026-03-08T07:30:00Z/2026-03-09T06:30:00Z'],
    ],
    ['America/New_York', '30 2 * * *', '2026-11-01T07:30:00Z', ['2026-10-31T06:30:00Z/2026-11-01T07:30:00Z']],
    ['America/New_York', '30 1 * * *', '2026-11-01T05:30:00Z', ['2026-10-31T05:30:00Z/2026-11-01T05:30:00Z']],
    [
      ...(['America/New_York', '30 1 * * *', '2026-11-01T06:30:00Z'] as const),
      ['(2026-10-31T05:30:00Z/2026-11-01T05:30:00Z)'],
    ],
    [
      ...(['America/New_York', '30 1 * * *', '2026-11-02T06:30:00Z'] as const),
      ['(2026-10-31T05:30:00Z/2026-11-01T05:30:00Z)', '2026-11-01T05:30:00Z/2026-11-02T06:30:00Z'],
    ],
    [
      ...(['America/New_York', '0 * * * *', '2026-03-08T07:00:00Z'] as const),
      [
        '(2026-03-08T03:00:00Z/2026-03-08T04:00:00Z)',
        '(2026-03-08T04:00:00Z/2026-03-08T05:00:00Z)',
        '(2026-03-08T05:00:00Z/2026-03-08T06:00:00Z)',
        '2026-03-08T06:00:00Z/2026-03-08T07:00:00Z',
      ],
    ],
    [
      // The second 01:00 of the night ends an hour of its own.
      ...(['America/New_York', '0 * * * *', '2026-11-01T06:00:00Z'] as const),
      [
        '(2026-11-01T02:00:00Z/2026-11-01T03:00:00Z)',
        '(2026-11-01T03:00:00Z/2026-11-01T04:00:00Z)',
        '(2026-11-01T04:00:00Z/2026-11-01T05:00:00Z)',
        '2026-11-01T05:00:00Z/2026-11-01T06:00:00Z',
      ],
    ],
    ['America/New_York', '0 0 1 * *', '2026-04-01T04:00:00Z', ['2026-03-01T05:00:00Z/2026-04-01T04:00:00Z']],
    // Berlin: both at 01:00Z, on 29 March and 25 October 2026. Of 02:30 twice, Temporal fires at the second.
    [
      ...(['Europe/Berlin', '30 2 * * *', '2026-03-30T00:30:00Z'] as const),
      ['(2026-03-28T01:30:00Z/2026-03-29T01:30:00Z)', '2026-03-29T01:30:00Z/2026-03-30T00:30:00Z'],
    ],
    ['Europe/Berlin', '30 2 * * *', '2026-10-25T00:30:00Z', ['2026-10-24T00:30:00Z/2026-10-25T00:30:00Z']],
    ['Europe/Berlin', '30 2 * * *', '2026-10-25T01:30:00Z', ['(2026-10-24T00:30:00Z/2026-10-25T00:30:00Z)']],
    [
      ...(['Europe/Berlin', '30 2 * * *', '2026-10-26T01:30:00Z'] as const),
      ['(2026-10-24T00:30:00Z/2026-10-25T00:30:00Z)', '2026-10-25T00:30:00Z/2026-10-26T01:30:00Z'],
    ],
    [
      // A day of 23 hours.
      ...(['Europe/Berlin', '0 0 * * *', '2026-03-29T22:00:00Z'] as const),
      ['(2026-03-27T23:00:00Z/2026-03-28T23:00:00Z)', '2026-03-28T23:00:00Z/2026-03-29T22:00:00Z'],
    ],
    ['Europe/Berlin', '0 0 * * *', '2026-07-01T22:00:00Z', ['2026-06-30T22:00:00Z/2026-07-01T22:00:00Z']],
    // Lord Howe changes by half an hour: at 15:30Z on 3 October 2026, back at 15:00Z on 4 April.
    [
      ...(['Australia/Lord_Howe', '15 2 * * *', '2026-10-04T15:15:00Z'] as const),
      ['(2026-10-02T15:45:00Z/2026-10-03T15:45:00Z)', '2026-10-03T15:45:00Z/2026-10-04T15:15:00Z'],
    ],
    [
      // 02:30 is there: the first minute after those that are skipped.
      ...(['Australia/Lord_Howe', '30 2 * * *', '2026-10-03T15:30:00Z'] as const),
      ['2026-10-02T16:00:00Z/2026-10-03T15:30:00Z'],
    ],
    [
      ...(['Australia/Lord_Howe', '45 1 * * *', '2026-04-04T15:15:00Z'] as const),
      ['(2026-04-03T14:45:00Z/2026-04-04T14:45:00Z)'],
    ],
    [
      ...(['Australia/Lord_Howe', '45 1 * * *', '2026-04-05T15:15:00Z'] as const),
      ['(2026-04-03T14:45:00Z/2026-04-04T14:45:00Z)', '2026-04-04T14:45:00Z/2026-04-05T15:15:00Z'],
    ],
    [
      // From 01:00 to 02:00 it is an hour and a half.
      ...(['Australia/Lord_Howe', '0 * * * *', '2026-04-04T15:30:00Z'] as const),
      [
        '(2026-04-04T11:00:00Z/2026-04-04T12:00:00Z)',
        '(2026-04-04T12:00:00Z/2026-04-04T13:00:00Z)',
        '(2026-04-04T13:00:00Z/2026-04-04T14:00:00Z)',
        '2026-04-04T14:00:00Z/2026-04-04T15:30:00Z',
      ],
    ],
    // Casablanca puts its clocks back for Ramadan: 10 March to 14 April 2024, both at 02:00Z.
    [
      'Africa/Casablanca',
      '30 2 * * *',
      '2024-03-10T02:30:00Z',
      ['(2024-03-09T01:30:00Z/2024-03-10T01:30:00Z)'],
    ],
    [
      ...(['Africa/Casablanca', '30 2 * * *', '2024-04-15T01:30:00Z'] as const),
      ['(2024-04-13T02:30:00Z/2024-04-14T02:30:00Z)', '2024-04-14T02:30:00Z/2024-04-15T01:30:00Z'],
    ],
    // Apia had no 30 December 2011: after the 29th, 24 hours west of the date line, came the 31st.
    ['Pacific/Apia', '0 0 * * *', '2011-12-30T10:00:00Z', ['2011-12-29T10:00:00Z/2011-12-30T10:00:00Z']],
    [
      ...(['Pacific/Apia', '0 0 * * *', '2011-12-31T10:00:00Z'] as const),
      ['(2011-12-29T10:00:00Z/2011-12-30T10:00:00Z)', '2011-12-30T10:00:00Z/2011-12-31T10:00:00Z'],
    ],
    ['Pacific/Apia', '0 12 * * *', '2011-12-30T22:00:00Z', ['2011-12-29T22:00:00Z/2011-12-30T22:00:00Z']],
    ['Pacific/Apia', '0 12 * * *', '2011-12-31T22:00:00Z', ['2011-12-30T22:00:00Z/2011-12-31T22:00:00Z']],
    // No changes of clocks, but half hours and quarters.
    ['Asia/Kolkata', '30 2 * * *', '2026-03-08T21:00:00Z', ['2026-03-07T21:00:00Z/2026-03-08T21:00:00Z']],
    ['Asia/Kathmandu', '0 0 * * *', '2028-02-29T18:15:00Z', ['2028-02-28T18:15:00Z/2028-02-29T18:15:00Z']],
    // Leap days and ends of months.
    ['UTC', '0 0 * * *', '2028-03-01T00:00:00Z', ['2028-02-29T00:00:00Z/2028-03-01T00:00:00Z']],
    ['UTC', '0 0 * * *', '2026-03-01T00:00:00Z', ['2026-02-28T00:00:00Z/2026-03-01T00:00:00Z']],
    ['UTC', '0 0 29 2 *', '2028-02-29T00:00:00Z', ['2024-02-29T00:00:00Z/2028-02-29T00:00:00Z']],
    ['UTC', '0 0 29 2 *', '2104-02-29T00:00:00Z', ['2096-02-29T00:00:00Z/2104-02-29T00:00:00Z']],
    ['UTC', '0 0 31 * *', '2026-03-31T00:00:00Z', ['2026-01-31T00:00:00Z/2026-03-31T00:00:00Z']],
    ['UTC', '0 0 31 * *', '2026-08-31T00:00:00Z', ['2026-07-31T00:00:00Z/2026-08-31T00:00:00Z']],
    ['Asia/Seoul', '0 0 31 * *', '2026-12-30T15:00:00Z', ['2026-10-30T15:00:00Z/2026-12-30T15:00:00Z']],
  ])('in %s by %s at %s', (zone, cron, scheduled, expected) =>
    expect(due(zone, cron, scheduled)).toEqual(expected),
  );

  it('has the intervals before it by lookback, and none before the startDate or after the endDate', () => {
    const prague = (scheduled: string, over: object) => due('Europe/Prague', '0 0 * * *', scheduled, over);
    const days = [
      '2026-07-01T22:00:00Z/2026-07-02T22:00:00Z',
      '2026-07-02T22:00:00Z/2026-07-03T22:00:00Z',
      '2026-07-03T22:00:00Z/2026-07-04T22:00:00Z',
    ];
    expect(prague('2026-07-04T22:00:00Z', { lookback: 2 })).toEqual(days);
    expect(prague('2026-07-04T22:00:00Z', { lookback: 9, startDate: '2026-07-02T22:00:00Z' })).toEqual(
      days.slice(1),
    );
    expect(prague('2026-07-05T22:00:00Z', { lookback: 1, endDate: '2026-07-04T22:00:00Z' })).toEqual(
      days.slice(1),
    );
    expect(prague('2026-07-02T22:00:00Z', { startDate: '2026-07-02T00:00:00Z' })).toEqual([]);
  });

  it('has a last day of the month by no letter: L is refused', () =>
    expect(() => cronFields('0 0 L * *')).toThrow(/"L" is not understood\. A field holds numbers/));
});
