import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ScalarType, SCALAR_TYPES, type ValueType } from '../../definitions/types.js';
import { ByteWriter } from '../../feast/byte-writer.js';
import { asStored, encodeValue, valueEncoder } from '../../feast/value.js';
import { decodeValue } from '../../feast/value-decoder.js';
import { hex, unhex } from './hex.js';

const bytes = (...items: number[]): Uint8Array => new Uint8Array(items);

describe('values', () => {
  it.each<[ValueType, unknown, string]>([
    ['bytes', bytes(0, 255, 16), '0a0300ff10'],
    ['string', 'hello', '120568656c6c6f'],
    ['string', '', '1200'],
    ['string', 'PL', '1202504c'],
    ['int32', 42, '182a'],
    ['int32', -1, '18ffffffffffffffffff01'],
    ['int64', 17n, '2011'],
    ['int64', 0n, '2000'],
    ['int64', 2n ** 53n + 1n, '208180808080808010'],
    ['int64', -(2n ** 63n), '2080808080808080808001'],
    ['int64', 2n ** 63n - 1n, '20ffffffffffffffff7f'],
    ['float64', 12.5, '290000000000002940'],
    ['float64', -0, '290000000000000080'],
    ['float32', 3.14, '35c3f54840'],
    ['bool', true, '3801'],
    ['bool', false, '3800'],
    ['timestamp', 1_767_225_600_999_999n, '4080f2d6ca06'],
    ['timestamp', -1n, '40ffffffffffffffffff01'],
    ['list<string>', ['a', '', 'ż'], '62090a01610a000a02c5bc'],
    ['list<float32>', [0.1, 0.2, 0.3], '82010e0a0ccdcccc3dcdcc4c3e9a99993e'],
    ['list<int64>', [], '7200'],
    ['list<string>', [], '6200'],
    ['list<float32>', [], '820100'],
    ['list<string>', ['a', null], '62050a01610a00'],
    ['list<int64>', [1n, null], '72040a020100'],
    ['list<bool>', [true, null], '8a01040a020100'],
    ['list<bytes>', [bytes(97), null, bytes()], '5a070a01610a000a00'],
    ['list<float64>', [1, null], '7a120a10000000000000f03f000000000000f87f'],
    ['list<float32>', [1, null], '82010a0a080000803f0000c07f'],
    ['list<timestamp>', [1_767_225_600_000_000n, null], '9201110a0f80f2d6ca0680808080808080808001'],
    ['list<float64>', [NaN], '7a0a0a08000000000000f87f'],
  ])('%s %s is %s', (type, value, expected) => {
    expect(hex(encodeValue(type, value))).toBe(expected);
    expect(decodeValue(type, unhex(expected))).toEqual(asStored(type, value));
  });

  it('writes NULL, NaN and empty bytes as nothing, which reads back as NULL', () => {
    for (const type of SCALAR_TYPES) expect(hex(encodeValue(type, null))).toBe('');
    for (const type of SCALAR_TYPES) expect(hex(encodeValue(`list<${type}>`, null))).toBe('');
    expect(
      hex(encodeValue('float32', NaN)) +
        hex(encodeValue('float64', NaN)) +
        hex(encodeValue('bytes', bytes())),
    ).toBe('');
    expect(decodeValue('float64', bytes())).toBeNull();
    expect([asStored('float64', NaN), asStored('bytes', bytes()), asStored('int64', null)]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('reads empty bytes as Feast writes them beside others', () => {
    expect(decodeValue('bytes', unhex('0a00'))).toEqual(bytes());
  });

  it('reads what Feast never materializes but its readers take: null_val, and NaT as the least int64', () => {
    expect(decodeValue('int64', unhex('980100'))).toBeNull();
    expect(decodeValue('timestamp', unhex('4080808080808080808001'))).toBeNull();
  });

  it('takes an int32 column for an int64 feature', () => {
    expect(hex(encodeValue('int64', 42))).toBe('202a');
    expect(decodeValue('int64', unhex('182a'))).toBe(42n);
  });

  it('writes a text of any length with its length before it', () => {
    for (const length of [126, 127, 128, 129, 16_383, 16_384, 3_000_000]) {
      for (const unit of ['x', 'ż']) {
        const text = unit.repeat(length);
        expect(decodeValue('string', encodeValue('string', text))).toBe(text);
      }
    }
  });

  it.each<[ValueType, unknown, RegExp]>([
    ['int32', 2_147_483_648, /2147483648, which does not fit int32/],
    ['int32', 1.5, /1.5, which does not fit int32/],
    ['int64', 2n ** 63n, /9223372036854775808, which does not fit int64/],
    ['int64', 2 ** 53, /does not fit int64/],
    ['float32', 1e39, /1e\+39, which is beyond float32/],
    ['float64', 1n, /not float64/],
    ['float32', '1', /not float32/],
    ['bool', 1, /not bool/],
    ['string', 5, /not string/],
    ['bytes', 'x', /not bytes/],
    ['timestamp', '2001', /a string, which does not fit int64/],
    ['list<int64>', 5n, /not list<int64>/],
    ['list<int32>', [1, 2.5], /2.5, which does not fit int32/],
  ])('refuses %s %s', (type, value, message) => {
    expect(() => encodeValue(type, value, 'The feature v:f')).toThrow(
      expect.objectContaining({ code: 'ValueOutOfRange', message: expect.stringMatching(message) }),
    );
    expect(() => encodeValue(type, value, 'The feature v:f')).toThrow(/^The feature v:f /);
  });

  it('keeps infinity in float32: only a finite number can be beyond it', () => {
    expect(decodeValue('float32', encodeValue('float32', Infinity))).toBe(Infinity);
  });

  it.each<[ValueType, string]>([
    ['int64', '120568656c6c6f'],
    ['string', '1205'],
    ['list<int64>', '62050a01610a00'],
    ['list<string>', '202a'],
    ['string', '1202ff00'],
    ['int64', '20ffffffffffffffffffffff01'],
  ])('refuses bytes that are not %s: %s', (type, stored) => {
    expect(() => decodeValue(type, unhex(stored), 'The feature v:f')).toThrow(
      expect.objectContaining({ code: 'SchemaMismatch' }),
    );
  });
});

const scalars: Record<ScalarType, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float32: fc.float(),
  float64: fc.double(),
  string: fc.string({ unit: 'binary' }),
  bytes: fc.uint8Array(),
  timestamp: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
};

describe('any value', () => {
  it.each(SCALAR_TYPES)('of type %s, and any list of them, reads back', (type) => {
    fc.assert(
      fc.property(fc.option(scalars[type]), (value) => {
        expect(decodeValue(type, encodeValue(type, value))).toEqual(asStored(type, value));
      }),
    );
    const list: ValueType = `list<${type}>`;
    fc.assert(
      fc.property(fc.option(fc.array(fc.option(scalars[type]), { maxLength: 60 })), (value) => {
        expect(decodeValue(list, encodeValue(list, value))).toEqual(asStored(list, value));
      }),
    );
  });

  it('is appended to what the writer holds', () => {
    const writer = new ByteWriter(1);
    const encode = valueEncoder('string', 'The value');
    encode(writer, 'a');
    encode(writer, 'ż'.repeat(100));
    encode(writer, null);
    encode(writer, 'b');
    expect(hex(writer.take())).toBe(`120161${hex(encodeValue('string', 'ż'.repeat(100)))}120162`);
  });
});
