import { GranaryError } from '../../../definitions/errors.js';
import { narrows, type ValueType } from '../../../definitions/types.js';
import type { FileRelation } from '../provider.js';
import { convert, engineType } from './column-types.js';
import { quoteIdentifier, quoted } from './sql-text.js';

/** The declared type of a relation's column. */
export function columnType(relation: FileRelation, column: string): ValueType {
  const type = relation.schema[column];
  if (type === undefined)
    throw new GranaryError(
      'SchemaMismatch',
      `${relation.name} has no column "${column}". It has ${quoted(Object.keys(relation.schema))}.`,
    );
  return type;
}

/** The type of a column that becomes a feature or a label of type `to`; only float64 -> float32 and int32 -> int64 change. */
export function featureType(relation: FileRelation, column: string, to: ValueType): ValueType {
  const from = columnType(relation, column);
  if (!narrows(from, to))
    throw new GranaryError(
      'SchemaMismatch',
      `${relation.name}: column "${column}" is ${from} and cannot be read as ${to}. Declare it as ${from}.`,
    );
  return from;
}

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
