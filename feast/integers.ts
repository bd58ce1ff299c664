import { GranaryError } from '../definitions/errors.js';

/**
 * A value as a 32-bit integer; `what` begins the error's sentence.
 * @throws GranaryError `ValueOutOfRange` when it is no integer or lies outside.
 */
export function toInt32(value: unknown, what: string): number {
  if (typeof value === 'number' && (value | 0) === value) return value;
  throw misfit(value, 'int32', what);
}

/**
 * A value as a 64-bit integer; a `number` is taken where it is exact (an int32 column under an int64 feature).
 * @throws GranaryError `ValueOutOfRange` when it is no integer or lies outside.
 */
export function toInt64(value: unknown, what: string): bigint {
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  throw misfit(value, 'int64', what);
}

function misfit(value: unknown, type: string, what: string): GranaryError {
  const shown = typeof value === 'bigint' || typeof value === 'number' ? String(value) : `a ${typeof value}`;
  return new GranaryError('ValueOutOfRange', `${what} has the value ${shown}, which does not fit ${type}.`);
}
