import { describe, expect, it } from 'vitest';
import { pipeline } from '../../definitions/index.js';
import { firingSpan } from '../../definitions/due-intervals.js';
import { intervalOfDate } from '../../definitions/ticks.js';

const of = (startDate: string, timezone?: string, endDate?: string) =>
  pipeline('daily', {
    targets: ['view/totals'],
    schedule: { cron: '0 0 * * *', ...(timezone === undefined ? {} : { timezone }) },
    startDate,
    ...(endDate === undefined ? {} : { endDate }),
  });

describe('a bare date of a pipeline is the first instant of that local day', () => {
  it.each([
    [undefined, '2026-01-01', '2026-01-01T00:00:00Z'],
    ['UTC', '2026-01-01', '2026-01-01T00:00:00Z'],
    ['Asia/Seoul', '2026-01-01', '2025-12-31T15:00:00Z'],
    ['America/New_York', '2026-01-01', '2026-01-01T05:00:00Z'],
    ['America/New_York', '2026-07-01', '2026-07-01T04:00:00Z'],
    ['Asia/Kolkata', '2026-01-01', '2025-12-31T18:30:00Z'],
    ['Australia/Lord_Howe', '2026-01-01', '2025-12-31T13:00:00Z'],
    ['Australia/Lord_Howe', '2026-07-01', '2026-06-30T13:30:00Z'],
    // No clock shows these midnights: the day begins at 01:00.
    ['Africa/Cairo', '2024-04-26', '2024-04-25T22:00:00Z'],
    ['America/Havana', '2026-03-08', '2026-03-08T05:00:00Z'],
    ['Asia/Beirut', '2026-03-29', '2026-03-28T22:00:00Z'],
    // This one comes twice: the day begins with the first.
    ['America/Havana', '2026-11-01', '2026-11-01T04:00:00Z'],
  ])('in %s %s is %s', (zone, date, instant) => {
    expect(of(date, zone).startDate).toBe(instant);
    expect(of('2001-01-01', zone, date).endDate).toBe(instant);
  });

  it.each([
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'],
    ['2026-01-01T00:00:00+09:00', '2025-12-31T15:00:00Z'],
    ['2026-01-01T06:00', '2026-01-01T06:00:00Z'],
  ])('and an instant stays what it is: %s', (text, instant) => {
    expect(of(text, 'Asia/Seoul').startDate).toBe(instant);
  });

  it('so that the first and the last local day are made', () => {
    for (const zone of ['Asia/Seoul', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Beirut']) {
      const { schedule, startDate, endDate } = of('2026-03-29', zone, '2026-03-30');
      const bounds = { startDate, ...(endDate === undefined ? {} : { endDate }) };
      expect(intervalOfDate(schedule, bounds, '2026-03-29')).toEqual({ start: startDate, end: endDate });
      expect(String(firingSpan(schedule, bounds).from)).toBe(endDate);
      for (const date of ['2026-03-28', '2026-03-30'])
        expect(() => intervalOfDate(schedule, bounds, date)).toThrow(/lies (before|after)/);
    }
  });
});
