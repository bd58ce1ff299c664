import { isKind, type LabelSpec, type Resource } from '../definitions/contract.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { ValueType } from '../definitions/types.js';
import type { RegisteredResource } from './resources.js';

/** Features of one view within a feature service. */
export interface Projection {
  /** The view's id, and the name that it bears in Feast. */
  readonly id: string;
  readonly view: string;
  readonly features: readonly { readonly name: string; readonly type: ValueType }[];
  /** Where the training set takes the view for a role: what stands before `__` in full feature names instead of the view's name. */
  readonly alias?: string;
  /** Join key -> the column that a request has it in; of a role the label's columns. Join keys that are not in it bear their own names. */
  readonly joinKeyMap: Readonly<Record<string, string>>;
}

/** A training set's features as Feast's feature service. */
export interface FeatureService {
  /** The training set's id, and the name that the service bears in Feast. */
  readonly id: string;
  readonly name: string;
  readonly about: Resource['about'];
  readonly projections: readonly Projection[];
}

/** The feature services of what is registered, by name, and the training sets that have none, with why. */
export interface FeatureServices {
  readonly services: readonly FeatureService[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * The feature services of registered resources: one a training set, under its name. A set with lagged features has none: Feast serves
 * only the newest value.
 * @throws GranaryError `UnknownResource` when a set names a view or a label that is not there.
 */
export function featureServices(resources: ReadonlyMap<string, RegisteredResource>): FeatureServices {
  const services: FeatureService[] = [];
  const leftOut: FeatureServices['leftOut'][number][] = [];
  for (const set of resources.values()) {
    if (!isKind(set, 'trainingSet')) continue;
    const name = set.location;
    const lagged = set.spec.features.find(({ lag }) => lag !== undefined);
    if (lagged)
      leftOut.push({
        name,
        reason: `The training set ${name} has no feature service: its features of ${resourceOf(resources, lagged.view, 'view').location} lag by ${lagged.lag ?? ''}, and online there are only the newest values.`,
      });
    else services.push({ id: set.id, name, about: set.about, projections: projectionsOf(resources, set) });
  }
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
  return { services: services.sort(byName), leftOut: leftOut.sort(byName) };
}

function projectionsOf(
  resources: ReadonlyMap<string, RegisteredResource>,
  { spec }: Resource<'trainingSet'>,
): Projection[] {
  const { roles } = resourceOf(resources, spec.label, 'label').spec;
  const chosen = new Map<string, { projection: Projection; role: string | undefined }>();
  for (const { view: id, role: name, columns } of spec.features) {
    const view = resourceOf(resources, id, 'view');
    const role = roles.find((r) => r.role === name);
    const byRole = role !== undefined && isByRole(roles, role, view.name, columns);
    const key = JSON.stringify([id, byRole ? name : null]);
    const features = chosen.get(key)?.projection.features ?? [];
    const known = new Set(features.map((f) => f.name));
    const wanted = new Set(columns.map(({ feature }) => feature).filter((f) => !known.has(f)));
    chosen.set(key, {
      role: byRole ? name : undefined,
      projection: {
        id,
        view: view.location,
        features: [
          ...features,
          ...view.spec.features
            .filter((f) => wanted.has(f.name))
            .map((f) => ({ name: f.name, type: f.type })),
        ],
        joinKeyMap: byRole ? renamed(role) : {},
      },
    });
  }
  const all = [...chosen.values()];
  // Feast finds a projection by its alias, else by its view's name: no two may have one name.
  const taken = [
    ...all.filter(({ role }) => role === undefined).map(({ projection }) => projection.view),
    ...all.map(({ role }) => role),
  ];
  return all.map(({ projection, role }) => {
    if (role === undefined) return projection;
    const isFree = taken.filter((name) => name === role).length === 1;
    return { ...projection, alias: isFree ? role : `${role}_${projection.view}` };
  });
}

/** Whether a view was taken for a role by name: its columns tell, except where the role bears the view's own name. */
function isByRole(
  roles: LabelSpec['roles'],
  role: LabelSpec['roles'][number],
  view: string,
  columns: readonly { readonly feature: string; readonly as: string }[],
): boolean {
  const keysOf = (r: LabelSpec['roles'][number]): string =>
    r.keys
      .map(({ name }) => name)
      .sort()
      .join();
  const isOnly = roles.filter((r) => keysOf(r) === keysOf(role)).length === 1;
  if (isOnly && role.role === view) return false;
  return columns.some(
    ({ feature, as }) => as === `${role.role}__${feature}` || as.endsWith(`__${role.role}__${feature}`),
  );
}

const renamed = ({ keys }: LabelSpec['roles'][number]): Record<string, string> =>
  Object.fromEntries(
    keys.filter(({ name, column }) => name !== column).map(({ name, column }) => [name, column]),
  );
