import { ByteWriter } from './byte-writer.js';
import { murmur3 } from './murmur3.js';

const encoder = new TextEncoder();

/**
 * The hash field of a feature in Redis: murmur3 of `<view>:<feature>`, 4 bytes little-endian. Feast does not check for
 * collisions; {@link collidingFeatures} does.
 */
export function featureField(view: string, feature: string): Uint8Array {
  const writer = new ByteWriter(4);
  writer.u32le(murmur3(encoder.encode(`${view}:${feature}`)));
  return writer.take();
}

/** The hash field of a view's event time: a `google.protobuf.Timestamp`. */
export function timestampField(view: string): Uint8Array {
  return encoder.encode(`_ts:${view}`);
}

/** What follows the serialized entity key in a Redis key: the project, with no separator. */
export function projectSuffix(project: string): Uint8Array {
  return encoder.encode(project);
}

/** The Redis key of an entity in a project. All views with these join keys share the hash under it. */
export function redisKey(entityKey: Uint8Array, project: string): Uint8Array {
  const writer = new ByteWriter(entityKey.length + project.length);
  writer.raw(entityKey);
  writer.raw(projectSuffix(project));
  return writer.take();
}

/**
 * Features (`view:feature`) that would overwrite each other because their field names have one hash, in groups. Give all
 * views that share their join keys.
 */
export function collidingFeatures(
  views: readonly { readonly name: string; readonly features: readonly string[] }[],
): string[][] {
  const byHash = new Map<number, Set<string>>();
  for (const { name, features } of views)
    for (const feature of features) {
      const full = `${name}:${feature}`;
      const hash = murmur3(encoder.encode(full));
      byHash.set(hash, (byHash.get(hash) ?? new Set()).add(full));
    }
  return [...byHash.values()].filter((group) => group.size > 1).map((group) => [...group]);
}
