import { isKind, type Resource } from './contract.js';

/** The ids of the resources that one refers to directly: its provider, its inputs, its entities. Each once. Pure. */
export function upstreamOf(resource: Resource): readonly string[] {
  const provider = (name: string): string => `provider/${name}`;
  const ids: string[] = [];
  if (isKind(resource, 'source')) {
    ids.push(provider(resource.spec.store));
    if ('inputs' in resource.spec) ids.push(...Object.values(resource.spec.inputs));
  } else if (isKind(resource, 'view')) {
    ids.push(resource.spec.source, ...resource.spec.entities);
    if (resource.spec.online !== undefined) ids.push(provider(resource.spec.online));
  } else if (isKind(resource, 'label')) {
    ids.push(resource.spec.source, ...resource.spec.roles.map((role) => role.entity));
  } else if (isKind(resource, 'trainingSet')) {
    ids.push(resource.spec.label, ...resource.spec.features.map((choice) => choice.view));
    ids.push(provider(resource.spec.store));
  }
  return [...new Set(ids)];
}

/** The ids without which a resource cannot be made: a training set reads the source of a view, not its online rows. Pure. */
export function neededFor(resource: Resource, resources: ReadonlyMap<string, Resource>): readonly string[] {
  if (!isKind(resource, 'trainingSet')) return upstreamOf(resource);
  return upstreamOf(resource).flatMap((id) => {
    const view = resources.get(id);
    return view && isKind(view, 'view') ? [view.spec.source, ...view.spec.entities] : [id];
  });
}

/** How people name a resource: `transactions (demo)`; without a variant, `postgres-demo`. */
export const resourceName = ({ name, variant }: Pick<Resource, 'name' | 'variant'>): string =>
  variant === '' ? name : `${name} (${variant})`;
