import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import { decodeTimestamp, encodeTimestamp, secondsOf } from '../../feast/timestamp.js';
import { hex, unhex } from './hex.js';

describe('google.protobuf.Timestamp', () => {
  it.each([
    ['2026-01-01T00:00:00Z', '0880f2d6ca06'],
    ['2026-01-01T00:00:00.000001Z', '0880f2d6ca0610e807'],
    ['2026-01-01T00:00:00.123456Z', '0880f2d6ca06108094ef3a'],
    ['1970-01-01T00:00:00Z', ''],
    ['1969-12-31T23:59:59.5Z', '08ffffffffffffffffff011080cab5ee01'],
    ['9999-12-31T23:59:59.999999Z', '08ff82d1ffaf0710988cebdc03'],
    ['0001-01-01T00:00:00.000001Z', '088092b8c398feffffff0110e807'],
  ])('%s is %s', (text, expected) => {
    const { micros } = Timestamp.from(text);
    expect(hex(encodeTimestamp(micros))).toBe(expected);
    expect(decodeTimestamp(unhex(expected))).toBe(micros);
  });

  it('reads back any microsecond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (micros) => {
        expect(decodeTimestamp(encodeTimestamp(micros))).toBe(micros);
        expect(secondsOf(micros)).toBe(
          new Timestamp(micros - (((micros % 1_000_000n) + 1_000_000n) % 1_000_000n)).micros / 1_000_000n,
        );
      }),
    );
  });

  it('cuts nanoseconds of another writer to microseconds', () => {
    expect(decodeTimestamp(unhex('1001'))).toBe(0n);
    expect(decodeTimestamp(unhex('10cf0f'))).toBe(1n);
  });

  it.each(['08', '1a00', '0880'])('refuses %s', (stored) => {
    expect(() => decodeTimestamp(unhex(stored))).toThrow(expect.objectContaining({ code: 'SchemaMismatch' }));
  });
});
