/**
 * Means that do not depend on the order of addition. Sums of floats do, and engines add in orders of their own; so each number is
 * scaled by a power of two, rounded to an integer of 62 bits, and the integers are added exactly.
 */

const BITS = 62;

/** How floats become integers. */
export interface Scaling {
  /** Numbers whose absolute value is below it count as 0. */
  readonly least: number;
  /** Powers of two to multiply by, one after the other: their product may be beyond a float. */
  readonly factors: readonly number[];
  /** The integers times 2^shift are the numbers. */
  readonly shift: number;
}

/** The scaling for numbers of at most this absolute value, which is finite. */
export function scaling(greatest: number): Scaling {
  let exponent = greatest === 0 ? 0 : Math.floor(Math.log2(greatest)) + 1;
  while (2 ** exponent <= greatest) exponent += 1;
  while (greatest > 0 && 2 ** (exponent - 1) > greatest) exponent -= 1;
  const up = BITS - exponent;
  // What is below half of the last bit would be 0 anyhow; Postgres refuses a product that is too small for a float.
  return {
    least: 2 ** (exponent - BITS - 1),
    factors: up > 1000 ? [2 ** 1000, 2 ** (up - 1000)] : [2 ** up],
    shift: -up,
  };
}

/** `sum / count` times 2^shift, to the last bit or the one before. */
export function exactMean(sum: bigint, count: number, shift: number): number {
  const mean = Number((sum << 128n) / BigInt(count)) * 2 ** -128;
  // Two steps: one power alone may be too small for a float.
  return shift < -1000 ? mean * 2 ** -1000 * 2 ** (shift + 1000) : mean * 2 ** shift;
}
