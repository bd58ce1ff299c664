import type { KeyType } from '../definitions/entity.js';
import { GranaryError } from '../definitions/errors.js';
import { isNumberName } from '../definitions/names.js';
import { Timestamp } from '../definitions/timestamp.js';
import { narrows, type ScalarType, type Schema, type ValueType } from '../definitions/types.js';
import type { DescribedColumn } from '../providers/offline/provider.js';

/** What the entity rows are called in messages. */
export const ENTITY_ROWS = 'The entity rows';

/** What the columns of entity rows must be. */
export interface EntityColumns {
  /** The type of each join key's column, and whose it is, for messages. */
  readonly keys: ReadonlyMap<string, { readonly type: KeyType; readonly of: string }>;
  /** The column of the time; null: rows take the newest values, whatever times they have. */
  readonly timestampField: string | null;
  /** Whether that column was named, and must be there; otherwise rows that have no times at all take the newest values. */
  readonly isNamed: boolean;
}

/** A column as it was found. */
export interface FoundColumn extends DescribedColumn {
  /** Whether it is a text that is a time. */
  readonly isTime?: boolean;
}

/** Of objects: keys and the timestamp as they must be, other columns by their first value. None: no rows of the columns that must be there. */
export function objectColumns(
  rows: readonly Readonly<Record<string, unknown>>[],
  needs: EntityColumns,
): FoundColumn[] {
  const wanted = wantedTypes(needs);
  if (rows.length === 0) return [...wanted].map(([name, type]) => ({ name, found: type, type }));
  const first = new Map<string, unknown>();
  for (const [i, row] of rows.entries()) {
    if (typeof row !== 'object' || row === null)
      throw new GranaryError(
        'InvalidInput',
        `${ENTITY_ROWS}: row ${i + 1} is no object. Write { user_id: 1n, event_timestamp: '2026-01-31T10:00:00Z' }.`,
      );
    for (const [name, value] of Object.entries(row))
      if ((first.get(name) ?? null) === null || isEmptyList(first.get(name)))
        first.set(name, value ?? first.get(name) ?? null);
  }
  return [...first].map(([name, value]) => {
    const type = wanted.get(name) ?? valueType(value);
    return { name, found: type ?? typeof value, type, isTime: isTimeText(value) };
  });
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** What is read back is what was given: a number is a float64, whatever its value. Nothing but NULL is a text. */
function valueType(value: unknown): ValueType | undefined {
  if (Array.isArray(value)) {
    const item = valueType((value as readonly unknown[])[0] ?? '');
    return item === undefined || item.startsWith('list') ? undefined : `list<${item as ScalarType}>`;
  }
  if (value instanceof Date || value instanceof Timestamp) return 'timestamp';
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int64';
  if (typeof value === 'number') return 'float64';
  return typeof value === 'string' || value === null || value === undefined ? 'string' : undefined;
}

/** Whether a value is a text such as 2026-01-31 or 2026-01-31T10:00:00Z. */
export function isTimeText(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    Timestamp.from(value);
    return true;
  } catch {
    return false;
  }
}

/** The types that keys and the time must have. */
export function wantedTypes({ keys, timestampField }: EntityColumns): ReadonlyMap<string, ValueType> {
  return new Map<string, ValueType>([
    ...[...keys].map(([name, { type }]): [string, ValueType] => [name, type]),
    ...(timestampField === null ? [] : [[timestampField, 'timestamp'] as [string, ValueType]]),
  ]);
}

/** The name of the time's column where values are wanted for a time and there is no such column. */
export const missingTime = (
  names: readonly string[],
  { timestampField }: EntityColumns,
): string | undefined =>
  timestampField === null || names.includes(timestampField) ? undefined : timestampField;

/** @throws GranaryError `InvalidInput` for names that are missing, twice there, or whole numbers. */
export function checkNames(names: readonly string[], needs: EntityColumns): void {
  const { keys, isNamed } = needs;
  const has = names.length === 0 ? 'They have no columns.' : `They have ${names.join(', ')}.`;
  const similar = (wanted: string): string => {
    const found = names.find((name) => name.toLowerCase() === wanted.toLowerCase());
    return found === undefined ? 'Add the column, or rename one' : `Rename "${found}"`;
  };
  for (const [name, { of }] of keys)
    if (!names.includes(name))
      throw new GranaryError(
        'InvalidInput',
        `${ENTITY_ROWS} have no column "${name}", a join key of ${of}. ${has} ${similar(name)}.`,
      );
  const time = missingTime(names, needs);
  if (isNamed && time !== undefined)
    throw new GranaryError(
      'InvalidInput',
      `${ENTITY_ROWS} have no column "${time}", the time that values are wanted for. ${has} ${similar(time)}, or name another: timestampField: '...'.`,
    );
  const seen = new Set<string>();
  for (const name of names) {
    if (isNumberName(name))
      throw new GranaryError(
        'InvalidInput',
        `${ENTITY_ROWS} have a column "${name}". JavaScript moves names that are whole numbers before all others, so the columns would lose their order. Rename it, such as to "c${name}".`,
      );
    if (seen.has(name.toLowerCase()))
      throw new GranaryError(
        'InvalidInput',
        `${ENTITY_ROWS} have two columns "${name}" (case does not count). Rename one of them.`,
      );
    seen.add(name.toLowerCase());
  }
}

/** A date or a timestamp, as DuckDB, Arrow and Granary call them. */
const TIME_TYPE = /^(date|timestamp)[^[]*$/i;

/**
 * Rows with times, none of which is the one that values are wanted for, would take the newest values: what was learned after their times. Nobody
 * wants that without saying so.
 */
function checkTimes(found: readonly FoundColumn[], needs: EntityColumns): void {
  const time = missingTime(
    found.map(({ name }) => name),
    needs,
  );
  if (time === undefined) return;
  const times = found
    .filter(
      ({ name, found: was, isTime }) => (isTime === true || TIME_TYPE.test(was)) && !needs.keys.has(name),
    )
    .map(({ name }) => `"${name}"`);
  if (times.length > 0)
    throw new GranaryError(
      'InvalidInput',
      `${ENTITY_ROWS} have times (${times.join(', ')}), but no column "${time}". Name the column of the time that values are wanted for, timestampField: ${times[0] ?? ''}, or ask for the newest values: timestampField: null.`,
    );
}

/** @throws GranaryError `InvalidInput` for columns whose type does not fit, and times of which none is named. */
export function schemaOf(found: readonly FoundColumn[], needs: EntityColumns): Schema {
  checkTimes(found, needs);
  const { keys, timestampField } = needs;
  const typed = found.map(({ name, type, found: was }): [string, ValueType] => {
    const key = keys.get(name);
    if (key !== undefined && (type === undefined || !narrows(type, key.type)))
      throw new GranaryError(
        'InvalidInput',
        `${ENTITY_ROWS}: column "${name}" is ${was}, but as a join key of ${key.of} it is ${key.type}. Convert the column.`,
      );
    if (name === timestampField && type !== 'timestamp')
      throw new GranaryError(
        'InvalidInput',
        `${ENTITY_ROWS}: column "${name}", the time that values are wanted for, is ${was}. Convert it to a timestamp, or name another column: timestampField: '...'.`,
      );
    if (type === undefined)
      throw new GranaryError(
        'InvalidInput',
        `${ENTITY_ROWS}: column "${name}" is ${was}, which Granary has no type for. Convert it, or leave it out.`,
      );
    return [name, type];
  });
  return Object.fromEntries(typed);
}
