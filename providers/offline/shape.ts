import { GranaryError, messageOf, type ErrorCode } from '../../definitions/errors.js';
import { narrows, type ValueType } from '../../definitions/types.js';
import type { OutputShape, Relation } from './provider.js';

/** What every engine asks of columns, in the same words. */

/** Names in quotes, for messages. */
export const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** Whether values of a type are numbers. */
export const isNumber = (type: ValueType): boolean => /^(int|float)(32|64)$/.test(type);

/** The declared type of a relation's column. */
export function columnType(relation: Relation, column: string): ValueType {
  const type = relation.schema[column];
  if (type === undefined)
    throw new GranaryError(
      'SchemaMismatch',
      `${relation.name} has no column "${column}". It has ${quoted(Object.keys(relation.schema))}.`,
    );
  return type;
}

/** The type of a column that becomes a feature or a label of type `to`; only float64 -> float32 and int32 -> int64 change. */
export function featureType(relation: Relation, column: string, to: ValueType): ValueType {
  const from = columnType(relation, column);
  if (!narrows(from, to))
    throw new GranaryError(
      'SchemaMismatch',
      `${relation.name}: column "${column}" is ${from} and cannot be read as ${to}. Declare it as ${from}.`,
    );
  return from;
}

/** That a query returns the declared columns, in any order, and its timestamp. */
export function checkQueryColumns(
  { name, schema, timestampField }: OutputShape,
  returned: readonly string[],
): void {
  const declared = Object.keys(schema);
  if (timestampField !== undefined && !returned.includes(timestampField))
    throw new GranaryError(
      'MissingTimestamp',
      `The query of ${name} has no ${timestampField}; select the interval's end as it, or the instant at which each row is known. It returns ${quoted(returned)}.`,
    );
  const missing = declared.filter((column) => !returned.includes(column));
  const extra = returned.filter((column) => schema[column] === undefined);
  if (missing.length > 0 || extra.length > 0)
    throw new GranaryError(
      'SchemaMismatch',
      `The query of ${name} does not return the declared columns:${missing.length > 0 ? ` missing ${quoted(missing)};` : ''}${extra.length > 0 ? ` not declared ${quoted(extra)};` : ''} the schema has ${quoted(declared)}, the query returns ${quoted(returned)}.`,
      { details: { missing, extra } },
    );
}

/** Why a query's column cannot be kept as it was declared. `found` is the engine's word for its type. */
export const unfit = (
  name: string,
  column: string,
  type: ValueType,
  found: string,
  suggestion: ValueType | undefined,
): GranaryError =>
  new GranaryError(
    'SchemaMismatch',
    `${name}: column "${column}" is declared ${type} but the query returns ${found}. Convert it with CAST in the SQL${suggestion === undefined ? '' : `, or declare it as ${suggestion}`}.`,
    { details: { column, declared: type, found } },
  );

/** That a join makes the columns of its output, in their order. */
export function checkJoinColumns(
  { name, schema }: OutputShape,
  columns: readonly { readonly as: string; readonly type: ValueType }[],
): void {
  const names = columns.map(({ as }) => as);
  if (
    names.join('\0') !== Object.keys(schema).join('\0') ||
    columns.some(({ as, type }) => schema[as] !== type)
  )
    throw new GranaryError(
      'SchemaMismatch',
      `${name}: the join makes the columns ${quoted(names)}, the output's schema has ${quoted(Object.keys(schema))}. They must be the same, with the same types.`,
    );
}

/**
 * Why rows cannot be filtered by a relation's `where`, in the engine's words.
 * @param subject what was being done, for the message: `The point-in-time join of training set x`.
 */
export const badFilter = (
  subject: string,
  { name, where, schema }: Relation,
  { code, words, cause }: { readonly code: ErrorCode; readonly words: string; readonly cause?: unknown },
): GranaryError =>
  new GranaryError(
    code,
    `${subject}: its rows of ${name} cannot be filtered by the condition\n  ${where ?? ''}\n${words}\nGive \`where\` as one condition in SQL over the columns ${quoted(Object.keys(schema))}.`,
    { cause, details: { where: where ?? '' } },
  );

/** An error while rows were read and filtered, as one that shows the condition where that may be to blame. */
export function filterFailure(subject: string, relation: Relation, error: unknown): unknown {
  if (relation.where === undefined || !(error instanceof GranaryError)) return error;
  const { code, cause } = error;
  if (code !== 'QueryFailed' && code !== 'ValueOutOfRange') return error;
  return badFilter(subject, relation, { code, words: messageOf(cause ?? error).trim(), cause: error });
}
