import { describe, expect, it } from 'vitest';
import {
  intervalOfDate,
  intervalOfRange,
  intervalsBetween,
  lastCompleteInterval,
} from '../../definitions/ticks.js';
import { Timestamp } from '../../definitions/timestamp.js';

const utc = { cron: '0 0 * * *', timezone: 'UTC' };
const seoul = { cron: '0 0 * * *', timezone: 'Asia/Seoul' };
const prague = { cron: '0 0 * * *', timezone: 'Europe/Prague' };
const kolkata = { cron: '30 1 * * *', timezone: 'Asia/Kolkata' };
const bounds = { startDate: '2001-01-01', endDate: '2001-07-01' };
const wide = { startDate: '1990-01-01' };

describe('the interval that starts on a local date', () => {
  it.each([
    [utc, '2001-03-04', '2001-03-04T00:00:00Z', '2001-03-05T00:00:00Z'],
    [seoul, '2001-03-04', '2001-03-03T15:00:00Z', '2001-03-04T15:00:00Z'],
    [kolkata, '2001-03-04', '2001-03-03T20:00:00Z', '2001-03-04T20:00:00Z'],
    [prague, '2001-03-25', '2001-03-24T23:00:00Z', '2001-03-25T22:00:00Z'],
    [utc, '2001-06-30', '2001-06-30T00:00:00Z', '2001-07-01T00:00:00Z'],
  ])('%j %s', (schedule, date, start, end) =>
    expect(intervalOfDate(schedule, bounds, date)).toEqual({ start, end }),
  );

  it('has 25 hours when the clocks go back', () =>
    expect(intervalOfDate(prague, wide, '2001-10-28')).toEqual({
      start: '2001-10-27T22:00:00Z',
      end: '2001-10-28T23:00:00Z',
    }));
  it('may be a leap day', () =>
    expect(intervalOfDate(utc, wide, '2004-02-29').end).toBe('2004-03-01T00:00:00Z'));

  it.each([
    ['04.03.2001', /is not a date.*"2001-03-04"/],
    ['2000-12-31', /before the pipeline's startDate 2001-01-01/],
    ['2001-07-01', /after the pipeline's endDate 2001-07-01/],
  ])('%s is refused', (date, message) => expect(() => intervalOfDate(utc, bounds, date)).toThrow(message));
  it('is refused where several start on the date', () =>
    expect(() => intervalOfDate({ cron: '0 * * * *', timezone: 'UTC' }, bounds, '2001-03-04')).toThrow(
      /24 intervals .* from and to: 2001-03-04T00:00:00Z/,
    ));
  it('is refused where none starts on the date', () =>
    expect(() => intervalOfDate({ cron: '0 0 * * 1', timezone: 'UTC' }, bounds, '2001-03-04')).toThrow(
      /No interval .* starts on 2001-03-04/,
    ));
  it('names a schedule that is none', () =>
    expect(() => intervalOfDate({ cron: '99 0 * * *', timezone: 'UTC' }, bounds, '2001-03-04')).toThrow(
      /schedule "99 0 \* \* \*"/,
    ));
});

describe('the last complete interval', () => {
  it.each([
    ['2001-03-04T00:00:00Z', '2001-03-03T00:00:00Z'],
    ['2001-03-04T23:59:59.999999Z', '2001-03-03T00:00:00Z'],
    ['2026-11-21T00:00:00Z', '2001-06-30T00:00:00Z'],
  ])('at %s starts at %s', (at, start) =>
    expect(lastCompleteInterval(utc, bounds, Timestamp.from(at)).start).toBe(start),
  );
  it('does not exist before the first has ended', () =>
    expect(() => lastCompleteInterval(utc, bounds, Timestamp.from('2001-01-01T12:00:00Z'))).toThrow(
      /No interval is complete/,
    ));
});

describe('an interval by its ends', () => {
  it('must be one of the schedule', () => {
    expect(intervalOfRange(utc, bounds, '2001-03-04', '2001-03-05').start).toBe('2001-03-04T00:00:00Z');
    expect(() => intervalOfRange(utc, bounds, '2001-03-04', '2001-03-06')).toThrow(
      /no interval of the schedule.*\[2001-03-04T00:00:00Z, 2001-03-05T00:00:00Z\)/,
    );
    expect(() => intervalOfRange(utc, bounds, '2001-03-04', '2001-03-04')).toThrow(/is empty/);
  });
});

describe('the intervals of a span', () => {
  it.each([
    ['whole days', utc, '2001-03-04', '2001-03-07', ['2001-03-04', '2001-03-05', '2001-03-06']],
    [
      'days that are cut off at both ends',
      utc,
      '2001-03-04T00:00:00.000001Z',
      '2001-03-06T23:59:59Z',
      ['2001-03-05'],
    ],
    ['less than a day', utc, '2001-03-04T01:00:00Z', '2001-03-05T00:00:00Z', []],
    ['before the startDate', utc, '2000-12-30', '2001-01-02', ['2001-01-01']],
    ['after the endDate', utc, '2001-06-30', '2002-01-01', ['2001-06-30']],
    ['wholly before the startDate', utc, '1999-01-01', '1999-02-01', []],
  ])('%s', (_, schedule, from, to, starts) =>
    expect(intervalsBetween(schedule, bounds, from, to).map(({ start }) => start.slice(0, 10))).toEqual(
      starts,
    ),
  );
  it('join without holes, and there are as many as days in ten years', () => {
    const found = intervalsBetween(prague, wide, '2001-01-01', '2011-01-02');
    expect(found).toHaveLength(3652);
    expect(found.slice(1).every(({ start }, n) => start === found[n]?.end)).toBe(true);
  });
});
