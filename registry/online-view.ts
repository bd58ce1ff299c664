import type { Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { feastProject, type Scope } from '../definitions/project.js';
import type { RegisteredResource } from './resources.js';

/** A registered view as it is at work: under the name and the promotion of this moment, or of the one that it is to have. */
export type ViewAtWork = Resource<'view'> &
  Pick<RegisteredResource, 'location' | 'promotion'> & {
    /** Features that the name has had and this variant has not. */
    readonly retired?: readonly string[];
  };

/** A registered view in the online store's terms: Feast's project, the name it bears there, keys and features in order. */
export function onlineView(scope: Scope, view: ViewAtWork) {
  return {
    ...(view.retired === undefined ? {} : { retired: view.retired }),
    project: feastProject(scope),
    name: view.location,
    joinKeys: view.spec.joinKeys.map(({ name, type }) => ({ name, type })),
    features: view.spec.features.map(({ name, type }) => ({ name, type })),
  };
}

/** The name of the online store that a view is served from. */
export function onlineStoreOf(view: Resource<'view'>): string {
  if (view.spec.online === undefined)
    throw new GranaryError(
      'InvalidInput',
      `The view ${view.name} is not served online. Declare it with online: <store>.`,
    );
  return view.spec.online;
}
