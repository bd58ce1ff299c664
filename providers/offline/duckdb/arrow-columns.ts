import { Type, type DataType, type RecordBatch, type Table, type Vector } from 'apache-arrow';
import { Timestamp, floorDiv } from '../../../definitions/timestamp.js';
import { listItem, type ScalarType, type ValueType } from '../../../definitions/types.js';

/** Whether a value is an Arrow batch or table; by shape, because a user may have another copy of the library. */
export function isArrow(value: unknown): value is RecordBatch | Table {
  return (
    typeof value === 'object' &&
    value !== null &&
    'schema' in value &&
    'numRows' in value &&
    'getChildAt' in value
  );
}

/** The record batches of a batch or a table. */
export function batchesOf(data: RecordBatch | Table): readonly RecordBatch[] {
  return 'batches' in data ? data.batches : [data];
}

/** Whether a column of an Arrow type may hold a declared type's values: same kind; ranges are checked on the values. */
export function fitsArrow(type: DataType, declared: ValueType): boolean {
  const item = listItem(declared);
  if (type.typeId === Type.Null) return true;
  if (item === undefined) return fitsScalar(type, declared as ScalarType);
  const inner = type.children[0];
  const isList = type.typeId === Type.List || type.typeId === Type.FixedSizeList;
  return isList && inner !== undefined && fitsScalar(inner.type as DataType, item);
}

function fitsScalar(type: DataType, declared: ScalarType): boolean {
  if (type.typeId === Type.Dictionary)
    return fitsScalar((type as unknown as { dictionary: DataType }).dictionary, declared);
  switch (declared) {
    case 'bool':
      return type.typeId === Type.Bool;
    case 'int32':
    case 'int64':
      return type.typeId === Type.Int;
    case 'float32':
    case 'float64':
      return type.typeId === Type.Float;
    case 'string':
      return type.typeId === Type.Utf8 || type.typeId === Type.LargeUtf8;
    case 'bytes':
      return [Type.Binary, Type.LargeBinary, Type.FixedSizeBinary].includes(type.typeId);
    case 'timestamp':
      return type.typeId === Type.Timestamp || type.typeId === Type.Date;
  }
}

/** The narrowest type that holds all values of an Arrow type; undefined where Granary has none. */
export function arrowType(type: DataType): ValueType | undefined {
  if (type.typeId === Type.Dictionary)
    return arrowType((type as unknown as { dictionary: DataType }).dictionary);
  if (type.typeId === Type.Null) return 'string';
  if (type.typeId === Type.List || type.typeId === Type.FixedSizeList) {
    const item = type.children[0]?.type as DataType | undefined;
    const inner = item && arrowType(item);
    return inner === undefined || listItem(inner) !== undefined ? undefined : `list<${inner as ScalarType}>`;
  }
  const { bitWidth, isSigned, precision } = type as DataType & {
    readonly bitWidth?: number;
    readonly isSigned?: boolean;
    readonly precision?: number;
  };
  if (type.typeId === Type.Int)
    return (bitWidth ?? 64) < 32 || (bitWidth === 32 && isSigned === true) ? 'int32' : 'int64';
  // Half, single, double.
  if (type.typeId === Type.Float) return precision === 2 ? 'float64' : 'float32';
  return (['bool', 'string', 'bytes', 'timestamp'] as const).find((scalar) => fitsScalar(type, scalar));
}

/** Reads one column's values as the checks of cell.ts take them; NULL is `null`. */
export function arrowReader(vector: Vector): (index: number) => unknown {
  const type = vector.type as DataType;
  if (type.typeId === Type.Timestamp || type.typeId === Type.Date) return instantReader(vector);
  if (type.typeId === Type.List || type.typeId === Type.FixedSizeList)
    return (index) => {
      const items = vector.get(index) as Vector | null;
      if (items === null) return null;
      const read = arrowReader(items);
      return Array.from({ length: items.length }, (_, i) => read(i));
    };
  return (index) => vector.get(index) as unknown;
}

/** Arrow's own getter gives milliseconds as a number; the buffer has every digit. */
function instantReader(vector: Vector): (index: number) => unknown {
  const type = vector.type as DataType & { readonly unit: number };
  const chunk = vector.data[0];
  const values = (chunk?.values ?? []) as ArrayLike<number | bigint>;
  const toMicros = type.typeId === Type.Date ? dateMicros(type.unit) : timestampMicros(type.unit);
  return (index) => {
    const raw = vector.isValid(index) ? values[index] : undefined;
    return raw === undefined ? null : new Timestamp(toMicros(BigInt(raw)));
  };
}

/** Units in Arrow's numbering: seconds, milliseconds, microseconds, nanoseconds. */
function timestampMicros(unit: number): (value: bigint) => bigint {
  if (unit === 3) return (value) => floorDiv(value, 1000n);
  const factor = [1_000_000n, 1000n, 1n][unit] ?? 1n;
  return (value) => value * factor;
}

/** Units in Arrow's numbering: days, milliseconds. */
function dateMicros(unit: number): (value: bigint) => bigint {
  const factor = unit === 0 ? 86_400_000_000n : 1000n;
  return (value) => value * factor;
}
