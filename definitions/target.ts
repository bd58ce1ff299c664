import { isKind, isRaw, type Resource, type ResourceKind } from './contract.js';
import { GranaryError } from './errors.js';
import { didYouMean } from './names.js';

/** A run's targets by name: `user_features`, `view/user_features`, `source/flights.v2`. */
export function findTarget(resources: ReadonlyMap<string, Resource>, text: string, where: string): Resource {
  const m = /^(?:(source|view|trainingSet)\/)?([^./]+)(?:\.(.+))?$/.exec(text);
  const candidates = [...resources.values()].filter((r) =>
    ['source', 'view', 'trainingSet'].includes(r.kind),
  );
  const found = candidates.filter(
    (r) =>
      m &&
      r.name === m[2] &&
      (m[1] === undefined || r.kind === m[1]) &&
      (m[3] === undefined || r.variant === m[3]),
  );
  const [only, other] = found;
  if (only === undefined) {
    const word = TARGET_WORDS[m?.[1] ?? ''];
    const told = word === undefined ? `target "${text}"` : `${word} "${text.slice(text.indexOf('/') + 1)}"`;
    throw new GranaryError(
      'UnknownResource',
      `${where}: there is no ${told}. ${didYouMean(m?.[2] ?? text, targetNames(resources, m?.[1]))}`,
    );
  }
  if (other)
    throw new GranaryError(
      'InvalidInput',
      `${where}: "${text}" names ${found.map((r) => r.id).join(' and ')}. Write one of these.`,
    );
  return only;
}

const TARGET_WORDS: Readonly<Record<string, string>> = {
  source: 'feature set or transformation',
  view: 'feature view',
  trainingSet: 'training set',
};

/** The names of what a run can make, or of one `kind` of it: raw sources, providers and entities are not made. */
export function targetNames(resources: ReadonlyMap<string, Resource>, kind?: string): ReadonlySet<string> {
  const made = [...resources.values()].filter(
    (r) =>
      (kind === undefined || r.kind === kind) &&
      (r.kind === 'view' || r.kind === 'trainingSet' || (isKind(r, 'source') && !isRaw(r.spec))),
  );
  return new Set(made.map((r) => r.name));
}

/**
 * The ids of targets by name; of several variants an unqualified name means the default one. `kind`, such as `view/`, is that of bare names.
 * @throws GranaryError `UnknownResource`, `InvalidInput`.
 */
export function targetIdsOf(
  resources: ReadonlyMap<string, Resource & { readonly isDefault?: boolean }>,
  texts: readonly string[],
  where: string,
  kind = '',
): string[] {
  const defaults = new Map([...resources].filter(([, resource]) => resource.isDefault ?? true));
  return texts.map((text) => {
    if (resources.has(text)) return text;
    const named = text.includes('/') ? text : `${kind}${text}`;
    return findTarget(/\./.test(text) ? resources : defaults, named, where).id;
  });
}

/**
 * A feature set by name: `user_features` (its default variant), `user_features.v2`, both also with `source/` before it.
 * @throws GranaryError `UnknownResource`; `InvalidInput` when the name is something else's.
 */
export function findFeatureSet(
  resources: ReadonlyMap<string, Resource & { readonly isDefault: boolean }>,
  text: string,
  where: string,
): Resource<'source'> {
  const [, kind, name = text, variant] = /^(?:([^/]+)\/)?([^./]+)(?:\.(.+))?$/.exec(text) ?? [];
  const all = [...resources.values()];
  const named = all.filter(
    (r) =>
      r.name === name &&
      (kind === undefined || r.kind === kind) &&
      (variant === undefined ? r.isDefault : r.variant === variant),
  );
  const found = named.find(isFeatureSet);
  if (found) return found;
  const sets = [...new Set(all.filter(isFeatureSet).map((r) => r.name))].sort();
  const [other] = named;
  if (!other)
    throw new GranaryError(
      'UnknownResource',
      `${where}: there is no feature set "${text}". ${didYouMean(name, sets)}`,
    );
  const source = isKind(other, 'view') ? resources.get(other.spec.source) : undefined;
  const hint =
    source && isFeatureSet(source)
      ? `Its feature set is "${source.name}".`
      : sets.length > 0
        ? `Feature sets: ${sets.join(', ')}.`
        : 'The project has none.';
  throw new GranaryError(
    'InvalidInput',
    `${where}: "${text}" is a ${kindWord(other)}, not a feature set. ${hint}`,
  );
}

const isFeatureSet = <R extends Resource>(resource: R): resource is R & Resource<'source'> =>
  isKind(resource, 'source') && resource.spec.type === 'featureSet';

const KIND_WORDS: Record<ResourceKind, string> = {
  provider: 'provider',
  entity: 'entity',
  source: 'source',
  view: 'feature view',
  label: 'label',
  trainingSet: 'training set',
};

const kindWord = (resource: Resource): string => {
  if (!isKind(resource, 'source')) return KIND_WORDS[resource.kind];
  return isRaw(resource.spec) ? 'raw source' : 'transformation';
};
