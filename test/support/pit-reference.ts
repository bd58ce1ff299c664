import { createHash } from 'node:crypto';
import type { RowSplit } from '../../providers/offline/provider.js';

/** Values as providers/columns.ts states them: timestamps are bigint microseconds. */
export type Values = Readonly<Record<string, unknown>>;

export interface ReferenceView {
  readonly rows: readonly Values[];
  readonly on: readonly { readonly spine: string; readonly feature: string }[];
  readonly timestampField?: string;
  readonly createdTimestampField?: string;
  readonly ttl?: bigint;
  readonly lag?: bigint;
  readonly columns: readonly string[];
}

/** NULL least, NaN greatest, -0 equal to 0, texts by UTF-8 bytes; lists by their first difference, where NULL is greatest. */
export function compareValues(a: unknown, b: unknown): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (Array.isArray(a) && Array.isArray(b)) {
    const i = a.findIndex((value, at) => at >= b.length || compareItems(value, b[at]) !== 0);
    return i < 0 ? a.length - b.length : i >= b.length ? 1 : compareItems(a[i], b[i]);
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a !== 'number' || typeof b !== 'number')
    return a === b ? 0 : (a as bigint) < (b as bigint) ? -1 : 1;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a === b ? 0 : a < b ? -1 : 1;
}

const compareItems = (a: unknown, b: unknown): number =>
  a === null || b === null ? Number(a === null) - Number(b === null) : compareValues(a, b);

/** The first difference of two lists of values. */
export function compareLists(a: readonly unknown[], b: readonly unknown[]): number {
  for (const [i, value] of a.entries()) {
    const order = compareValues(value, b[i] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

/** The row of a view that a label row takes, by the rule and nothing else. */
export function referenceRow(
  label: Values,
  time: string | undefined,
  view: ReferenceView,
  knownAt = false,
): Values | undefined {
  const { timestampField: event, createdTimestampField: created, ttl = 0n, lag = 0n } = view;
  const counts = (row: Values): boolean => {
    if (!view.on.every(({ spine, feature }) => label[spine] !== null && label[spine] === row[feature]))
      return false;
    if (event === undefined) return true;
    const at = row[event] as bigint | null;
    if (time === undefined || at === null) return at !== null;
    const t = label[time] as bigint | null;
    if (t === null || at > t - lag || (ttl > 0n && at < t - lag - ttl)) return false;
    const known = created === undefined ? null : (row[created] as bigint | null);
    return !knownAt || (known !== null && known <= t);
  };
  const order = event === undefined ? [] : created === undefined ? [event] : [event, created];
  const rank = (row: Values): unknown[] => [...order, ...view.columns].map((column) => row[column]);
  return view.rows
    .filter(counts)
    .reduce<Values | undefined>(
      (best, row) => (best === undefined || compareLists(rank(row), rank(best)) > 0 ? row : best),
      undefined,
    );
}

/** The part of a row that is split by its keys, as definitions say. */
export function referencePart(
  split: Extract<RowSplit, { readonly by: 'entity' }>,
  label: Values,
): 'train' | 'validation' | 'test' {
  const text = (value: unknown): string => {
    if (value === null) return 'NULL';
    const plain = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value as string);
    return `${Buffer.byteLength(plain)}:${plain}`;
  };
  const input = [split.seed, ...split.keys.map(({ column }) => label[column])].map(text).join('');
  const share = parseInt(createHash('md5').update(input).digest('hex').slice(0, 8), 16) / 2 ** 32;
  return share < split.test ? 'test' : share < split.test + (split.validation ?? 0) ? 'validation' : 'train';
}
