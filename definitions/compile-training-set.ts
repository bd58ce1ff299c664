import { inDatabase, type Resource, type TrainingSetSpec } from './contract.js';
import { GranaryError } from './errors.js';
import { carriedColumns, featureColumns, roleOf, type TrainingSet } from './training-set.js';

/**
 * Where a training set is joined and stored: in a database when its label and features all lie in that one and no file store is
 * named, else by DuckDB in a file store. `sources`: the label's first.
 * @throws GranaryError `InvalidDefinition` when it is to be stored in a database that does not have all of its sources.
 */
function placeOfSet(
  { name, store }: TrainingSet,
  sources: readonly Resource<'source'>[],
): Pick<TrainingSetSpec, 'store' | 'engine'> {
  const first = sources[0]?.spec;
  const database = first && inDatabase(first) ? first.store : undefined;
  const elsewhere = sources.find(({ spec }) => !inDatabase(spec) || spec.store !== database);
  if (store?.type === 'files') return { store: store.name };
  if (database !== undefined && !elsewhere && (store?.name ?? database) === database)
    return { store: database, engine: 'postgres' };
  if (store === undefined && database === undefined && first) return { store: first.store };
  const other = elsewhere ?? sources[0];
  throw new GranaryError(
    'InvalidDefinition',
    `The training set ${name} cannot be joined in the database "${store?.name ?? database ?? ''}": the source ${other?.name ?? ''} lies in "${other?.spec.store ?? ''}". Name a file store to join and store it in: store: fileStore('...').`,
  );
}

/** A training set's spec. `views`: the ids of its selections' views, in their order; `sources` as for {@link placeOfSet}. */
export function trainingSetSpec(
  set: TrainingSet,
  label: string,
  views: readonly string[],
  sources: readonly Resource<'source'>[],
): TrainingSetSpec {
  const columns = featureColumns(set);
  return {
    label,
    ...placeOfSet(set, sources),
    features: set.features.map((selection, i) => ({
      view: views[i] ?? '',
      role: roleOf(set.name, set.label, selection).role,
      ...(selection.before === undefined ? {} : { lag: selection.before }),
      columns: columns[i] ?? [],
    })),
    include: carriedColumns(set),
    ...(set.where === undefined ? {} : { where: set.where }),
    ...(set.split === undefined ? {} : { split: set.split }),
    ...(set.knownAt ? { knownAt: true } : {}),
    ...(set.requireTimestamps ? { requireTimestamps: true } : {}),
    ...(set.validate.length === 0 ? {} : { validate: set.validate }),
  };
}
