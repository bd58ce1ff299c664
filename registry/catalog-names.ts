import { GranaryError } from '../definitions/errors.js';
import { registeredNear } from '../definitions/names.js';
import type { CatalogEntry, CatalogKind } from './catalog.js';

/** Kinds as people write them, one and many. */
const KINDS: Readonly<Record<string, CatalogKind>> = {
  ...{ provider: 'provider', providers: 'provider' },
  ...{ entity: 'entity', entities: 'entity' },
  ...{ source: 'source', sources: 'source' },
  ...{ view: 'view', views: 'view' },
  ...{ label: 'label', labels: 'label' },
  ...{ trainingSet: 'trainingSet', trainingset: 'trainingSet', trainingsets: 'trainingSet' },
  ...{ 'training-set': 'trainingSet', 'training-sets': 'trainingSet' },
  ...{ pipeline: 'pipeline', pipelines: 'pipeline' },
  ...{ model: 'model', models: 'model' },
};

/** What sources are, before a name. In lists all of them are one kind. */
const SOURCES: Readonly<Record<string, CatalogKind>> = {
  ...{ 'feature-set': 'source', featureSet: 'source', transformation: 'source' },
};

/**
 * A kind by one of its names: `training-sets`, `source`.
 * @throws GranaryError `InvalidInput` that lists them.
 */
export function kindOf(text: string): CatalogKind {
  const found = KINDS[text] ?? KINDS[text.toLowerCase()];
  if (found) return found;
  throw new GranaryError(
    'InvalidInput',
    `There is no kind "${text}". Kinds: sources, views, labels, training-sets, entities, providers, pipelines, models.`,
  );
}

/**
 * An entry by name: `user_features` (the default variant), `user_features.v2`, either with its kind before it: `view/user_features`. Without a
 * default variant the only one.
 * @throws GranaryError `UnknownResource`; `InvalidInput` when several kinds have the name.
 */
export function findEntry(entries: ReadonlyMap<string, CatalogEntry>, text: string): CatalogEntry {
  const exact = entries.get(text);
  if (exact) return exact;
  const slash = text.indexOf('/');
  const word = text.slice(0, Math.max(0, slash));
  const kind = slash < 0 ? undefined : (SOURCES[word] ?? kindOf(word));
  const wanted = text.slice(slash + 1);
  const all = [...entries.values()].filter((entry) => kind === undefined || entry.kind === kind);
  const named = all.filter((entry) => entry.name === wanted && (entry.isDefault || entry.variant === ''));
  const found = named.length > 0 ? named : all.filter((entry) => `${entry.name}.${entry.variant}` === wanted);
  const [only, other] = found;
  if (only && !other) return only;
  if (other)
    throw new GranaryError(
      'InvalidInput',
      `"${text}" names ${found.map((entry) => entry.id).join(' and ')}. Write ${found.map(shortId).join(' or ')}.`,
    );
  const variants = all.filter((entry) => wanted.startsWith(`${entry.name}.`)).map((entry) => entry.variant);
  throw new GranaryError(
    'UnknownResource',
    variants.length > 0
      ? `"${text}" has no such variant. Variants: ${variants.sort().join(', ')}.`
      : `There is no resource "${text}". ${registeredNear(wanted, new Set(all.map((entry) => entry.name)))}`,
  );
}

/** How a command can be given an entry: without the variant where it is the default. */
export function shortId({ kind, name, variant, isDefault }: CatalogEntry): string {
  return `${kind}/${name}${variant === '' || isDefault ? '' : `.${variant}`}`;
}
