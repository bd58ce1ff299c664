import { describe, expect, it } from 'vitest';
import type { ValueType } from '../../definitions/types.js';
import { encodeValue } from '../../feast/value.js';
import { valueText } from '../../server/value-text.js';

const T0 = 1_767_225_600_000_000n;

describe('a stored value as JSON', () => {
  it.each<[ValueType, unknown, string]>([
    ['timestamp', T0 + 999_999n, '1767225600'],
    ['timestamp', null, 'null'],
    ['list<timestamp>', [T0, null, -1n], '[1767225600,null,-1]'],
    ['list<timestamp>', [], '[]'],
    ['list<float64>', [1, null], '[1.0,"NaN"]'],
    ['list<float32>', [null], '["NaN"]'],
    ['list<int64>', [-(2n ** 63n), null], '[-9223372036854775808,0]'],
    ['list<string>', ['a', null], '["a",""]'],
    ['list<bool>', [true, null], '[true,false]'],
    ['bytes', new Uint8Array(), 'null'],
  ])('%s %s is %s', (type, value, expected) => {
    const bytes = Buffer.from(encodeValue(type, value));
    expect(valueText(bytes, 0, bytes.length)).toBe(expected);
  });

  it.each([
    ["Feast's stand-in for no time", '4080808080808080808001', 'null'],
    ['empty bytes, as Feast writes them', '0a00', '""'],
  ])('%s, %s, is %s', (_, hex, expected) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(valueText(bytes, 0, bytes.length)).toBe(expected);
  });
});
