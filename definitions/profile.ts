import type { ValueType } from './types.js';

/**
 * What the rows of one version look like, as JSON. 64-bit integers are decimal texts, timestamps ISO-8601 in UTC, NaN and infinities the texts
 * `NaN`, `Infinity`, `-Infinity`. Equal rows give equal profiles.
 */
export interface Profile {
  readonly rows: number;
  /** Quantiles and top values are of this many rows, evenly spread over the version; absent: of all rows. */
  readonly sampledRows?: number;
  readonly columns: readonly ColumnProfile[];
  /** Training sets: what each view's join found. */
  readonly joins?: readonly JoinProfile[];
}

/** A value as JSON; a text of more than 200 characters is cut and ends with `...`. */
export type ProfileValue = string | number | boolean;

/** One column of a version. */
export interface ColumnProfile {
  readonly name: string;
  readonly type: ValueType;
  readonly nulls: number;
  /** 0 to 1; 0 without rows. */
  readonly nullRate: number;
  /** Floating-point columns: values that are NaN; these count for nothing below. */
  readonly nan?: number;
  /** Of types with an order. */
  readonly min?: ProfileValue;
  readonly max?: ProfileValue;
  /** Of numbers, over those that are finite; it does not depend on the order of rows or the engine. */
  readonly mean?: number;
  /** Of numbers and timestamps: the least value that at least this share of the values does not exceed (`quantile_disc`). */
  readonly quantiles?: Readonly<Record<'p01' | 'p05' | 'p25' | 'p50' | 'p75' | 'p95' | 'p99', ProfileValue>>;
  /** The most frequent values, at most ten, by count and then by value. For a label they are its balance. */
  readonly top?: readonly { readonly value: ProfileValue; readonly count: number }[];
}

/** How a view met the label rows. */
export interface JoinProfile {
  /** `<view> for <role>`, with its lag. */
  readonly view: string;
  readonly columns: readonly string[];
  /** Label rows that found a row of the view. */
  readonly matched: number;
  readonly matchRate: number;
  /** Views without timestamps: the warning that they may contain the label's future. */
  readonly constant?: string;
  /** Label rows whose feature row was created after the label's time; absent where the view has no created timestamp. */
  readonly createdLater?: number;
  /** How old the joined rows are, in seconds. */
  readonly age?: { readonly min: number; readonly median: number; readonly max: number };
}
