import type { ProfileValue } from '../../definitions/profile.js';
import { Timestamp } from '../../definitions/timestamp.js';
import type { ValueType } from '../../definitions/types.js';
import { isNumber } from './shape.js';

/**
 * The quantiles of a profile. Of up to a million values each of these fractions, times their number in floats, is rounded up to the right rank; so
 * engines take the same value.
 */
export const QUANTILES = {
  p01: 0.01,
  p05: 0.05,
  p25: 0.25,
  p50: 0.5,
  p75: 0.75,
  p95: 0.95,
  p99: 0.99,
} as const;

/** Characters of a text in a profile; what is longer is cut, and ends with `...`. */
const LONGEST = 200;

/** Whether a type has values with an order, of which there is more to say than how many are NULL. */
export const hasOrder = (type: ValueType): boolean => type !== 'bytes' && !type.startsWith('list<');

/** A value as an engine prints it, as JSON. Timestamps are printed as microseconds. */
export function profileValue(type: ValueType, text: string): ProfileValue {
  if (type === 'bool') return text === 'true';
  if (type === 'int64') return text;
  if (type === 'timestamp') return new Timestamp(BigInt(text)).toString();
  if (!isNumber(type)) return shortened(text);
  if (/^-?inf/i.test(text)) return text.startsWith('-') ? '-Infinity' : 'Infinity';
  return Number(text) + 0;
}

/** Cut between characters: half of one would be none. */
function shortened(text: string): string {
  const characters = [...text.slice(0, 2 * LONGEST + 2)];
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST).join('')}...` : text;
}
