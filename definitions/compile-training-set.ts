import { inDatabase, type Resource, type TrainingSetSpec } from './contract.js';
import { GranaryError } from './errors.js';
import { carriedColumns, featureColumns, roleOf, trainingColumns, type TrainingSet } from './training-set.js';

/** Longest name that Postgres keeps whole, in bytes. */
const MAX_NAME = 63;

/**
 * Where a training set is joined and stored: in a database when its label and features all lie in that one and no file store is
 * named, else by DuckDB in a file store. `sources`: the label's first.
 * @throws GranaryError `InvalidDefinition` when it is to be stored in a database that does not have all of its sources, or cannot name its columns.
 */
function placeOfSet(
  set: TrainingSet,
  sources: readonly Resource<'source'>[],
): Pick<TrainingSetSpec, 'store' | 'engine'> {
  const { name, store } = set;
  const first = sources[0]?.spec;
  const database = first && inDatabase(first) ? first.store : undefined;
  const elsewhere = sources.find(({ spec }) => !inDatabase(spec) || spec.store !== database);
  if (store?.type === 'files') return { store: store.name };
  if (database !== undefined && !elsewhere && (store?.name ?? database) === database) {
    checkNames(set);
    return { store: database, engine: 'postgres' };
  }
  if (store === undefined && database === undefined && first) return { store: first.store };
  const other = elsewhere ?? sources[0];
  throw new GranaryError(
    'InvalidDefinition',
    `The training set ${name} cannot be joined in the database "${store?.name ?? database ?? ''}": the source ${other?.name ?? ''} lies in "${other?.spec.store ?? ''}". Name a file store to join and store it in: store: fileStore('...').`,
  );
}

/** Postgres would cut a longer name off, and two of them might become one. @throws GranaryError `InvalidDefinition`. */
function checkNames(set: TrainingSet): void {
  const bytes = (column: string): number => new TextEncoder().encode(column).length;
  const long = trainingColumns(set).find((column) => bytes(column) > MAX_NAME);
  if (long !== undefined)
    throw new GranaryError(
      'InvalidDefinition',
      `The training set ${set.name}: the column "${long}" has a name of ${bytes(long)} bytes, and Postgres, which joins and stores the set, keeps ${MAX_NAME} at most. Give the feature or the label a shorter name, or name a file store to join and store the set in: store: fileStore('...').`,
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
