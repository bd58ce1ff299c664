import type { JoinKey } from './entity-key.js';
import { compareBytes } from './entity-key.js';
import { ByteReader } from './byte-reader.js';
import { projectSuffix } from './redis-layout.js';

const encoder = new TextEncoder();
/** Feast's ValueType number of a text, before each join key's name. */
const STRING = 2;
/** The types that a join key's value may have: bytes, string, int32, int64, timestamp; and their size where it is fixed. */
const VALUE_SIZES: ReadonlyMap<number, number | undefined> = new Map([
  [1, undefined],
  [2, undefined],
  [3, 4],
  [4, 8],
  [8, 8],
]);

/**
 * Whether a Redis key is that of an entity with exactly these join keys in exactly this project, in Feast's entity key serialization 3
 * or 2. The whole key is read: a project whose name ends like this one (`features_dev` and `dev`) has other keys, and so have entities of more
 * or fewer join keys.
 */
export function storedKeyMatcher(
  joinKeys: readonly Pick<JoinKey, 'name'>[],
  project: string,
): (key: Uint8Array) => boolean {
  const names = joinKeys.map(({ name }) => encoder.encode(name)).sort(compareBytes);
  const suffix = projectSuffix(project);
  return (key) => ([3, 2] as const).some((version) => isKey(key, names, suffix, version));
}

function isKey(key: Uint8Array, names: readonly Uint8Array[], suffix: Uint8Array, version: 2 | 3): boolean {
  const reader = new ByteReader(key);
  const left = (): number => key.length - reader.at;
  const u32 = (): number | undefined => (left() < 4 ? undefined : reader.u32le());
  const bytes = (expected: Uint8Array): boolean =>
    left() >= expected.length && compareBytes(reader.raw(expected.length), expected) === 0;
  if (version === 3 && u32() !== names.length) return false;
  for (const name of names) {
    if (u32() !== STRING) return false;
    // Version 2 writes names without their lengths.
    if (version === 3 && u32() !== name.length) return false;
    if (!bytes(name)) return false;
  }
  for (let i = 0; i < names.length; i++) {
    const type = u32();
    const size = u32();
    if (type === undefined || size === undefined || !VALUE_SIZES.has(type)) return false;
    if (size !== (VALUE_SIZES.get(type) ?? size) || size > left()) return false;
    reader.skip(size);
  }
  return left() === suffix.length && bytes(suffix);
}
