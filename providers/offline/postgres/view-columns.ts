import { GranaryError } from '../../../definitions/errors.js';
import { narrows, type ValueType } from '../../../definitions/types.js';
import { quoted } from '../duckdb/sql-text.js';
import type { TableRelation } from '../table-provider.js';

/** The declared type of a relation's column. */
export function columnType(relation: TableRelation, column: string): ValueType {
  const type = relation.schema[column];
  if (type === undefined)
    throw new GranaryError(
      'SchemaMismatch',
      `${relation.name} has no column "${column}". It has ${quoted(Object.keys(relation.schema))}.`,
    );
  return type;
}

/** The type of a column that becomes a feature or a label of type `to`; only float64 -> float32 and int32 -> int64 change. */
export function featureType(relation: TableRelation, column: string, to: ValueType): ValueType {
  const from = columnType(relation, column);
  if (!narrows(from, to))
    throw new GranaryError(
      'SchemaMismatch',
      `${relation.name}: column "${column}" is ${from} and cannot be read as ${to}. Declare it as ${from}.`,
    );
  return from;
}
