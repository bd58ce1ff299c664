import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { durationMicros, interval, intervalName } from '../../definitions/interval.js';
import { Timestamp } from '../../definitions/timestamp.js';

describe('Timestamp', () => {
  it('is known also when it comes from another copy of this package', async () => {
    // As a project file has that a command loads.
    vi.resetModules();
    const { Timestamp: Other } = await import('../../definitions/timestamp.js');
    const other = new Other(7n);
    expect(Other).not.toBe(Timestamp);
    expect(other instanceof Timestamp).toBe(true);
    expect(Timestamp.from(other).micros).toBe(7n);
    expect([new Date() instanceof Timestamp, {} instanceof Timestamp]).toEqual([false, false]);
  });

  it.each([
    ['2001-03-04', 983_664_000_000_000n],
    ['2001-03-04T05:06:07.123456Z', 983_682_367_123_456n],
    ['2001-03-04T05:06:07.123456789Z', 983_682_367_123_456n],
    ['2001-03-04 05:06:07+00', 983_682_367_000_000n],
    ['2001-03-04T05:06:07+09:00', 983_649_967_000_000n],
    ['2001-03-04T05:06:07+0530', 983_662_567_000_000n],
    ['1969-12-31T23:59:59.5Z', -500_000n],
    ['0001-01-01T00:00:00Z', -62_135_596_800_000_000n],
    ['9999-12-31T23:59:59.999999Z', 253_402_300_799_999_999n],
  ])('reads %s', (text, micros) => expect(Timestamp.from(text).micros).toBe(micros));

  it.each([
    '',
    'yesterday',
    '2001-02-29',
    '2001-13-01',
    '2001-03-04T25:00:00Z',
    '2001-03-04T05:60:00Z',
    '03/04/2001',
  ])('refuses %j', (text) => expect(() => Timestamp.from(text)).toThrow(/is not a timestamp.*ISO-8601/));

  it('is its own text', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }), (micros) => {
        expect(Timestamp.from(new Timestamp(micros).toString()).micros).toBe(micros);
      }),
    );
  });
});

describe('intervals', () => {
  it('are half-open and in canonical text', () =>
    expect(interval('2001-03-04', new Date('2001-03-05T00:00:00Z'))).toEqual({
      start: '2001-03-04T00:00:00Z',
      end: '2001-03-05T00:00:00Z',
    }));
  it.each([
    ['2001-03-04', '2001-03-04', /is empty/],
    ['2001-03-05', '2001-03-04', /is reversed/],
  ])('%s to %s is refused', (start, end, message) => expect(() => interval(start, end)).toThrow(message));
  it.each([
    [interval('2001-03-04', '2001-03-05'), '2001-03-04'],
    [interval('2001-03-04T15:00:00Z', '2001-03-05T15:00:00Z'), '2001-03-04T15:00:00Z..2001-03-05T15:00:00Z'],
  ])('%j is called %s', (span, name) => expect(intervalName(span)).toBe(name));
  it.each([
    ['90s', 90_000_000n],
    ['7d', 604_800_000_000n],
    ['1w', 604_800_000_000n],
  ])('%s is a duration', (text, micros) => expect(durationMicros(text)).toBe(micros));
  it.each(['7', 'd', '1.5h', '-1d', '1 month'])('%j is none', (text) =>
    expect(() => durationMicros(text)).toThrow(/not a duration/),
  );
});
