import { isKind, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { collidingFeatures } from '../feast/redis-layout.js';
import type { RegisteredResource } from '../registry/resources.js';

/**
 * Refuses views whose features would overwrite each other in Redis: Feast names a feature there by four bytes, within one hash for all views of a
 * store that share their join keys. `isRedis` tells which online stores are such.
 * @throws GranaryError `InvalidDefinition`, naming the features.
 */
export function refuseColliding(
  resources: Iterable<RegisteredResource>,
  isRedis: (store: string) => boolean,
): void {
  const hashes = new Map<string, { readonly name: string; readonly features: readonly string[] }[]>();
  for (const resource of resources) {
    if (!isKind(resource, 'view')) continue;
    const { location, spec } = resource as Resource<'view'> & RegisteredResource;
    if (spec.online === undefined || !isRedis(spec.online)) continue;
    const keys = spec.joinKeys.map(({ name, type }) => [name, type] as const).sort();
    const hash = JSON.stringify([spec.online, keys]);
    const view = { name: location, features: spec.features.map(({ name }) => name) };
    hashes.set(hash, [...(hashes.get(hash) ?? []), view]);
  }
  for (const views of hashes.values())
    for (const group of collidingFeatures(views))
      throw new GranaryError(
        'InvalidDefinition',
        `The features ${group.join(' and ')} would overwrite each other in Redis: Feast's layout names a feature by 32 bits, and these have the same. Rename one of them.`,
      );
}
