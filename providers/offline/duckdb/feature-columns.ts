import type { ValueType } from '../../../definitions/types.js';
import { convert, engineType } from './column-types.js';
import { quoteIdentifier } from './sql-text.js';

/** A column converted to the type of a feature. */
export function featureValue(reference: string, from: ValueType, to: ValueType): string {
  return convert(reference, to, engineType(from));
}

/**
 * The order that picks one row among equals: the columns in definition order, NULL least, NaN greatest, texts by
 * their bytes. Greatest first.
 */
export function greatestFirst(columns: readonly string[]): string[] {
  return columns.map((column) => `${quoteIdentifier(column)} DESC NULLS LAST`);
}
