import type { EntityRows, StoredRows } from './provider.js';

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
