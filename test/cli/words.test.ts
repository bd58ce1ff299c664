import { describe, expect, it } from 'vitest';
import { counted, durationText, spanText, toSecond } from '../../cli/words.js';

describe('for people commands write', () => {
  it.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [1000, '1.0 s'],
    [9949, '9.9 s'],
    [9951, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min 0 s'],
    [3_599_400, '59 min 59 s'],
    [7_500_000, '2 h 5 min'],
    [100_800_000, '1 d 4 h'],
  ])('%f milliseconds as %s', (ms, said) => {
    expect(durationText(ms)).toBe(said);
  });

  it('one thing and many', () => {
    expect([counted(1, 'step'), counted(0, 'step'), counted(3650, 'interval')]).toEqual([
      '1 step',
      '0 steps',
      '3,650 intervals',
    ]);
  });

  it('instants and spans as short as they can be', () => {
    expect(toSecond('2026-01-01T00:00:00.123456Z')).toBe('2026-01-01T00:00:00Z');
    expect(spanText({ start: '2026-01-01T00:00:00Z', end: '2026-01-01T01:00:00Z' })).toBe(
      '2026-01-01 .. 2026-01-01T01:00:00Z',
    );
  });
});
