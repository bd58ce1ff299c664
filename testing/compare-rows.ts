import type { Schema } from '../definitions/types.js';
import { same } from './row-values.js';

type AnyRow = Readonly<Record<string, unknown>>;

/** How one row differs from what was expected. */
export type RowDifference =
  | { readonly kind: 'missing'; readonly row: AnyRow }
  | { readonly kind: 'unexpected'; readonly row: AnyRow }
  | {
      readonly kind: 'differs';
      /** The columns by which the two rows were paired. */
      readonly key: AnyRow;
      readonly columns: readonly {
        readonly name: string;
        readonly expected: unknown;
        readonly got: unknown;
      }[];
    };

/** By what rows are told apart. */
export interface RowShape {
  readonly schema: Schema;
  readonly keys: readonly string[];
  readonly timestampField?: string | undefined;
}

/**
 * Compares rows in any order. Columns that an expected row leaves out are not looked at. Rows that are not equal are paired by their keys (with the
 * timestamp where there is one), then by keys alone, so that a difference names columns and not whole rows.
 */
export function compareRows(
  expected: readonly AnyRow[],
  got: readonly AnyRow[],
  { schema, keys, timestampField }: RowShape,
): RowDifference[] {
  const agree = (a: AnyRow, b: AnyRow, columns: readonly string[]): boolean =>
    columns.every((column) => same(a[column], b[column], schema[column] ?? 'string'));
  const left = [...got];
  /** Takes away the first row that fits each expected one; resolves to those without one. */
  const pair = (
    rows: readonly AnyRow[],
    columnsOf: (row: AnyRow) => readonly string[] | undefined,
    found: (row: AnyRow, other: AnyRow, columns: readonly string[]) => void,
  ): AnyRow[] =>
    rows.filter((row) => {
      const columns = columnsOf(row);
      const at = columns ? left.findIndex((other) => agree(row, other, columns)) : -1;
      const [other] = at < 0 ? [] : left.splice(at, 1);
      if (!columns || !other) return true;
      found(row, other, columns);
      return false;
    });
  const byColumns =
    (columns: readonly string[]) =>
    (row: AnyRow): readonly string[] | undefined =>
      columns.length > 0 && columns.every((column) => Object.hasOwn(row, column)) ? columns : undefined;

  const differences: RowDifference[] = [];
  const differ = (row: AnyRow, other: AnyRow, columns: readonly string[]): void => {
    differences.push({
      kind: 'differs',
      key: Object.fromEntries(columns.map((column) => [column, other[column]])),
      columns: Object.keys(row)
        .filter((column) => !agree(row, other, [column]))
        .map((name) => ({ name, expected: row[name], got: other[name] })),
    });
  };
  let rest = pair(
    expected,
    (row) => Object.keys(row),
    () => undefined,
  );
  if (timestampField !== undefined) rest = pair(rest, byColumns([...keys, timestampField]), differ);
  rest = pair(rest, byColumns(keys), differ);
  return [
    ...differences,
    ...rest.map((row) => ({ kind: 'missing' as const, row })),
    ...left.map((row) => ({ kind: 'unexpected' as const, row })),
  ];
}
