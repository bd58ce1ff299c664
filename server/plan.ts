import { GranaryError } from '../definitions/errors.js';
import { didYouMean } from '../definitions/names.js';
import type { ScalarType } from '../definitions/types.js';
import { clip, type FeaturesRequest } from './request.js';
import type { ServedView, Snapshot } from './snapshot.js';

/** How a request is answered, but for its entities. */
export interface Plan {
  readonly reads: readonly PlannedRead[];
  /** Lists of join key columns: reads that have the same share their keys. */
  readonly keys: readonly (readonly PlannedKey[])[];
  readonly columns: readonly { readonly read: number; readonly place: number }[];
  /** The features' names as JSON, in the order of `columns`. */
  readonly names: string;
  /** For `include_feature_view_version_metadata`. */
  readonly views: string;
  /** The request's `features`. */
  readonly asked: readonly string[];
}

export interface PlannedRead {
  readonly served: ServedView;
  readonly store: string;
  readonly features: readonly string[];
  /** Place in {@link Plan.keys}. */
  readonly keys: number;
}

export interface PlannedKey {
  /** The column of the request, and what it may be called instead: its entity's name. */
  readonly column: string;
  readonly entity: string | undefined;
  readonly type: ScalarType;
  readonly view: string;
}

/** One view's part of what is asked for, before names are checked. */
interface Wanted {
  readonly served: ServedView;
  /** What stands before `__` in full names. */
  readonly label: string;
  readonly feature: string;
  readonly joinKeyMap: Readonly<Record<string, string>>;
}

const MOST_PLANS = 2000;

/** The plan of a request; made once for as long as the registry stays the same. @throws GranaryError `UnknownResource`, `InvalidInput`. */
export function planOf(snapshot: Snapshot, request: FeaturesRequest): Plan {
  const { service, features, fullNames } = request;
  const kind = fullNames ? 'full' : 'plain';
  const key =
    service === undefined ? `${kind} ${features.length} ${features.join('\n')}` : `${kind} of ${service}`;
  const known = snapshot.plans.get(key);
  // A name in a request may hold what joins them.
  if (known && (service !== undefined || known.asked.every((name, i) => name === features[i]))) return known;
  const plan = { ...makePlan(snapshot, request), asked: features };
  if (snapshot.plans.size >= MOST_PLANS) snapshot.plans.clear();
  snapshot.plans.set(key, plan);
  return plan;
}

function makePlan(
  snapshot: Snapshot,
  { service, features, fullNames }: FeaturesRequest,
): Omit<Plan, 'asked'> {
  const wanted =
    service === undefined ? features.map((ref) => named(snapshot, ref)) : ofService(snapshot, service);
  refuseCollisions(wanted, fullNames);
  const keys: PlannedKey[][] = [];
  const reads: (PlannedRead & { readonly features: string[]; readonly label: string })[] = [];
  const columns = wanted.map(({ served, label, feature, joinKeyMap }) => {
    let read = reads.findIndex((r) => r.served === served && r.label === label);
    if (read < 0) {
      read = reads.length;
      const place = placeOf(keys, keysOf(served, joinKeyMap));
      reads.push({ served, store: storeOf(served), features: [], keys: place, label });
    }
    const found = reads[read]?.features ?? [];
    return { read, place: found.push(feature) - 1 };
  });
  return {
    reads,
    keys,
    columns,
    names: wanted.map((one) => JSON.stringify(outputName(one, fullNames))).join(','),
    views: [...new Set(wanted.map(({ label }) => label))].map((name) => JSON.stringify({ name })).join(','),
  };
}

function named(snapshot: Snapshot, reference: string): Wanted {
  const colon = reference.indexOf(':');
  const [view, feature] =
    colon < 0 ? [reference, reference] : [reference.slice(0, colon), reference.slice(colon + 1)];
  const { served } = onlineViewOf(snapshot, view);
  requireFeature(served, feature);
  return { served, label: view, feature, joinKeyMap: {} };
}

/** A view that is served online, by the name that it has in Feast. @throws GranaryError `UnknownResource`. */
export function onlineViewOf(
  snapshot: Snapshot,
  view: string,
): { readonly served: ServedView; readonly store: string } {
  const served = snapshot.views.get(view);
  if (!served)
    throw notFound(
      'FeatureViewNotFoundException',
      `Feature view ${clip(view)} does not exist. ${didYouMean(clip(view), online(snapshot))}`,
    );
  return { served, store: storeOf(served) };
}

/** @throws GranaryError `UnknownResource`. */
export function requireFeature({ name, features }: ServedView, feature: string): void {
  if (features.has(feature)) return;
  throw notFound(
    'FeastObjectNotFoundException',
    `Feature ${clip(feature)} does not exist in the feature view ${name}. ${didYouMean(clip(feature), features)}`,
  );
}

function ofService(snapshot: Snapshot, name: string): Wanted[] {
  const { services, leftOut } = snapshot.services;
  const service = services.find((s) => s.name === name);
  if (!service) {
    const reason = leftOut.find((s) => s.name === name)?.reason;
    throw notFound(
      'FeatureServiceNotFoundException',
      reason ??
        `Feature service ${clip(name)} does not exist: a training set of that name is its feature service. ${didYouMean(
          clip(name),
          services.map((s) => s.name),
        )}`,
    );
  }
  return service.projections.flatMap(({ id, view, alias, features, joinKeyMap }) => {
    const served = snapshot.byId.get(id);
    if (!served) throw notFound('FeatureViewNotFoundException', `Feature view ${view} does not exist.`);
    return features.map((feature) => ({ served, label: alias ?? view, feature: feature.name, joinKeyMap }));
  });
}

const online = (snapshot: Snapshot): string[] =>
  [...snapshot.views.values()].filter(({ store }) => store !== undefined).map(({ name }) => name);

function storeOf({ name, store }: ServedView): string {
  if (store !== undefined) return store;
  throw notFound(
    'FeatureViewNotFoundException',
    `Feature view ${name} is not served online. Declare it with online: <store>, and apply.`,
  );
}

const outputName = ({ label, feature }: Wanted, fullNames: boolean): string =>
  fullNames ? `${label}__${feature}` : feature;

function refuseCollisions(wanted: readonly Wanted[], fullNames: boolean): void {
  const seen = new Map<string, Wanted>();
  for (const one of wanted) {
    const name = outputName(one, fullNames);
    const other = seen.get(name);
    seen.set(name, one);
    if (!other) continue;
    const both = [other, one].map(({ label, feature }) => `${label}:${feature}`).join(' and ');
    const remedy = fullNames ? 'Ask for it once' : 'Ask with "full_feature_names": true';
    throw new GranaryError('InvalidInput', `Two features would be named ${name}: ${both}. ${remedy}.`, {
      details: { feast: 'FeatureNameCollisionError' },
    });
  }
}

const keysOf = (
  { name, view, entityKeys }: ServedView,
  joinKeyMap: Readonly<Record<string, string>>,
): PlannedKey[] =>
  view.joinKeys.map(({ name: key, type }) => ({
    column: Object.hasOwn(joinKeyMap, key) ? (joinKeyMap[key] ?? key) : key,
    entity: Object.hasOwn(joinKeyMap, key)
      ? undefined
      : [...entityKeys].find(([, joinKey]) => joinKey === key)?.[0],
    type,
    view: name,
  }));

function placeOf(keys: PlannedKey[][], wanted: PlannedKey[]): number {
  const sameAs = (other: readonly PlannedKey[]): boolean =>
    other.length === wanted.length &&
    other.every(({ column, type }, i) => column === wanted[i]?.column && type === wanted[i].type);
  const found = keys.findIndex(sameAs);
  return found < 0 ? keys.push(wanted) - 1 : found;
}

/** What Feast's SDK raises again as an error of this class. */
const notFound = (feast: string, message: string): GranaryError =>
  new GranaryError('UnknownResource', message, { details: { feast } });
