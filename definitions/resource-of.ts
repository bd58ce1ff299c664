import { isKind, type Resource, type ResourceKind } from './contract.js';
import { GranaryError } from './errors.js';

/** A registered definition by its id. @throws GranaryError `UnknownResource`. */
export function resourceOf<R extends Resource, K extends ResourceKind>(
  resources: ReadonlyMap<string, R>,
  id: string,
  kind: K,
): R & Resource<K> {
  const found = resources.get(id);
  if (!found || !isKind(found, kind))
    throw new GranaryError('UnknownResource', `The registry has no ${kind} ${id}.`);
  return found as R & Resource<K>;
}
