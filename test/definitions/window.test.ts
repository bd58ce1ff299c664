import { describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import { liesIn, windowOf } from '../../definitions/window.js';

const NOW = Timestamp.from('2026-03-29T12:00:00.000001Z');

describe('a window', () => {
  it.each([
    ['dates', { from: '2026-01-01', to: '2026-02-01' }, '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'],
    [
      'times of other zones',
      { from: '2026-01-01T00:00:00+09:00', to: '2026-01-01T00:00:00-05:30' },
      '2025-12-31T15:00:00Z',
      '2026-01-01T05:30:00Z',
    ],
    ['a time before now', { from: '-2d' }, '2026-03-27T12:00:00.000001Z', '2026-03-29T12:00:00.000001Z'],
    [
      'both before now',
      { from: '-36h', to: '-90m' },
      '2026-03-28T00:00:00.000001Z',
      '2026-03-29T10:30:00.000001Z',
    ],
    ['now', { from: '2026-03-29', to: 'now' }, '2026-03-29T00:00:00Z', '2026-03-29T12:00:00.000001Z'],
    ['its end alone', { to: '2026-01-01' }, '0001-01-02T00:00:00Z', '2026-01-01T00:00:00Z'],
  ])('is given by %s', (_, given, start, end) => {
    expect(windowOf(given, NOW)).toEqual({ start, end });
  });

  it('is none where neither end is given', () => {
    expect(windowOf({}, NOW)).toBeUndefined();
  });

  it.each([
    ['reversed', { from: '-1d', to: '-2d' }, 'InvalidInterval', /is reversed/],
    ['empty', { from: 'now' }, 'InvalidInterval', /is empty/],
    ['no time', { from: 'yesterday' }, 'InvalidInput', /from: "yesterday" is no time.*-36h, -2d/],
    ['in a unit that there is not', { to: '-2y' }, 'InvalidInput', /to: "-2y" is no time/],
    ['no date of the calendar', { to: '2026-02-30' }, 'InvalidInput', /to: "2026-02-30" is no time/],
  ])('is refused when it is %s', (_, given, code, message) => {
    expect(() => windowOf(given, NOW)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as unknown }) as Error,
    );
  });

  it.each([
    ['2026-01-01', '2026-01-02', 'whole'],
    ['2026-01-02', '2026-01-03', 'whole'],
    ['2025-12-31', '2026-01-02', 'partly'],
    ['2026-01-02', '2026-01-04', 'partly'],
    ['2025-12-31', '2026-01-01', undefined],
    ['2026-01-03', '2026-01-04', undefined],
  ])('holds [%s, %s): %s', (start, end, how) => {
    expect(liesIn({ start, end }, { start: '2026-01-01', end: '2026-01-03' })).toBe(how);
  });
});
