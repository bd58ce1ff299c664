import type { EntityKeyVersion } from '../definitions/provider.js';
import type { ScalarType } from '../definitions/types.js';
import { ByteReader } from './byte-reader.js';
import { compareBytes, readKeyValue, type JoinKey } from './entity-key.js';
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
  const names = sortedNames(joinKeys);
  const suffix = projectSuffix(project);
  return (key) => ([3, 2] as const).some((version) => valuePlaces(key, names, suffix, version) !== undefined);
}

/**
 * Reads the values of a stored key, in the order of the join keys: undefined where it is not the key of an entity with exactly these join
 * keys, of their types, with exactly this suffix (in Redis the project's, in Postgres none), in that serialization.
 */
export function storedKeyReader(
  joinKeys: readonly JoinKey[],
  suffix: Uint8Array,
  version: EntityKeyVersion,
): (key: Uint8Array) => readonly unknown[] | undefined {
  const names = sortedNames(joinKeys);
  const decoder = new TextDecoder();
  const place = new Map(names.map((name, i) => [decoder.decode(name), i]));
  return (key) => {
    const places = valuePlaces(key, names, suffix, version);
    if (!places) return undefined;
    const reader = new ByteReader(key);
    const values: unknown[] = [];
    for (const { name, type } of joinKeys) {
      reader.at = places[place.get(name) ?? 0] ?? 0;
      let found: { readonly type: ScalarType; readonly value: unknown };
      try {
        found = readKeyValue(reader);
      } catch {
        // A text that is not UTF-8: nobody can ask for it.
        return undefined;
      }
      if (found.type !== type) return undefined;
      values.push(found.value);
    }
    return values;
  };
}

const sortedNames = (joinKeys: readonly Pick<JoinKey, 'name'>[]): readonly Uint8Array[] =>
  joinKeys.map(({ name }) => encoder.encode(name)).sort(compareBytes);

/** Where the values begin, each with its type and size, in the order of the sorted names; undefined for any other key. */
function valuePlaces(
  key: Uint8Array,
  names: readonly Uint8Array[],
  suffix: Uint8Array,
  version: EntityKeyVersion,
): readonly number[] | undefined {
  const reader = new ByteReader(key);
  const left = (): number => key.length - reader.at;
  const u32 = (): number | undefined => (left() < 4 ? undefined : reader.u32le());
  const bytes = (expected: Uint8Array): boolean =>
    left() >= expected.length && compareBytes(reader.raw(expected.length), expected) === 0;
  if (version === 3 && u32() !== names.length) return undefined;
  for (const name of names) {
    if (u32() !== STRING) return undefined;
    // Version 2 writes names without their lengths.
    if (version === 3 && u32() !== name.length) return undefined;
    if (!bytes(name)) return undefined;
  }
  const places: number[] = [];
  for (let i = 0; i < names.length; i++) {
    places.push(reader.at);
    const type = u32();
    const size = u32();
    if (type === undefined || size === undefined || !VALUE_SIZES.has(type)) return undefined;
    if (size !== (VALUE_SIZES.get(type) ?? size) || size > left()) return undefined;
    reader.skip(size);
  }
  return left() === suffix.length && bytes(suffix) ? places : undefined;
}
