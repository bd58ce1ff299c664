import { ByteWriter } from '../../feast/byte-writer.js';
import { writeTimestamp } from '../../feast/timestamp.js';
import { valueEncoder } from '../../feast/value.js';
import type { EntityRows, OnlineRead, OnlineRow, StoredRows } from './provider.js';

/** Decoded rows in the form of {@link StoredRows}: for a store whose client decodes them anyway. */
export function asStoredRows(
  { view, features }: Pick<OnlineRead, 'view' | 'features'>,
  rows: readonly (OnlineRow | undefined)[],
): StoredRows {
  const stride = 2 * (1 + features.length);
  const at = new Int32Array(rows.length * stride).fill(-1);
  const writer = new ByteWriter(1 << 12);
  const types = new Map(view.features.map(({ name, type }) => [name, type]));
  const encoders = features.map((name) =>
    valueEncoder(types.get(name) ?? 'string', `The feature ${view.name}:${name}`),
  );
  for (const [i, row] of rows.entries()) {
    if (!row) continue;
    const first = i * stride;
    at[first] = writer.length;
    writeTimestamp(writer, row.eventTime);
    at[first + 1] = writer.length;
    for (const [f, encode] of encoders.entries()) {
      const value = row.values[f];
      if (value === undefined) continue;
      at[first + 2 + 2 * f] = writer.length;
      encode(writer, value);
      at[first + 3 + 2 * f] = writer.length;
    }
  }
  return { bytes: Buffer.from(writer.take().buffer), at, first: 0, stride };
}

/** Those of some entities that have a row, with their keys. */
export function presentRows(keys: EntityRows['keys'], { bytes, at, first, stride }: StoredRows): EntityRows {
  const places = keys.flatMap((_, i) => ((at[first + i * stride] ?? -1) < 0 ? [] : [i]));
  const own = new Int32Array(places.length * stride);
  for (const [to, i] of places.entries()) {
    const from = first + i * stride;
    own.set(at.subarray(from, from + stride), to * stride);
  }
  return { keys: places.map((i) => keys[i] ?? []), rows: { bytes, at: own, first: 0, stride } };
}
