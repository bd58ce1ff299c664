import { describe, expect, it } from 'vitest';
import { murmur3 } from '../../feast/murmur3.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('murmur3', () => {
  // Known answers of the reference implementation, for every length of the tail.
  it.each([
    ['', 0, 0x00000000],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['a', 0, 0x3c2569b2],
    ['aa', 0x9747b28c, 0x5d211726],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    ['user_features:f_total_events_7d', 0, 0x5f42eb8d],
  ])('of %j with seed %i', (text, seed, expected) => {
    expect(murmur3(utf8(text), seed)).toBe(expected);
  });

  it('takes bytes above 127 as unsigned', () => {
    expect(murmur3(new Uint8Array([0xff, 0xff, 0xff, 0xff]))).toBe(0x76293b50);
    expect(murmur3(new Uint8Array([0x21, 0x43, 0x65, 0x87, 0xff]))).toBe(0x23fc1677);
  });
});
