/** Values as providers/columns.ts states them: timestamps are bigint microseconds. */
export type Values = Readonly<Record<string, unknown>>;

export interface ReferenceView {
  readonly rows: readonly Values[];
  readonly on: readonly { readonly spine: string; readonly feature: string }[];
  readonly timestampField?: string;
  readonly createdTimestampField?: string;
  readonly ttl?: bigint;
  readonly columns: readonly string[];
}

/** NULL least, NaN greatest, -0 equal to 0, texts by UTF-8 bytes. */
export function compareValues(a: unknown, b: unknown): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a !== 'number' || typeof b !== 'number')
    return a === b ? 0 : (a as bigint) < (b as bigint) ? -1 : 1;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a === b ? 0 : a < b ? -1 : 1;
}

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
): Values | undefined {
  const { timestampField: event, createdTimestampField: created, ttl = 0n } = view;
  let rows = view.rows.filter((row) =>
    view.on.every(({ spine, feature }) => label[spine] !== null && label[spine] === row[feature]),
  );
  if (event !== undefined) rows = rows.filter((row) => row[event] !== null);
  if (event !== undefined && time !== undefined) {
    const t = label[time] as bigint | null;
    rows = rows.filter(
      (row) => t !== null && (row[event] as bigint) <= t && (ttl === 0n || (row[event] as bigint) >= t - ttl),
    );
  }
  const rank = (row: Values): unknown[] =>
    [
      ...(event === undefined ? [] : [event]),
      ...(event === undefined || created === undefined ? [] : [created]),
      ...view.columns,
    ].map((column) => row[column]);
  return rows.reduce<Values | undefined>(
    (best, row) => (best === undefined || compareLists(rank(row), rank(best)) > 0 ? row : best),
    undefined,
  );
}
