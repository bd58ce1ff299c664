import { isKind } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { reader } from '../providers/rows.js';
import type { Registry } from '../registry/registry.js';
import { Example, vector } from './printed.js';
import { storedRows, type StoredRows } from './stored-rows.js';
import type { TrainingRows } from './training-rows.js';

/** Stored rows of a version. */
export interface VersionRows<Row> extends StoredRows<Row>, PromiseLike<TrainingRows<Row>> {
  /** Opens the version; what it resolves to says which one it is. */
  open(): Promise<TrainingRows<Row>>;
}

/**
 * A version of a training set. `for await` gives its rows as `{ features, label }`; awaited, it is the version with its whole rows.
 */
export interface TrainingExamples<Row, LabelName extends string>
  extends VersionRows<Row>, AsyncIterable<Example<Row, LabelName>> {}

/** A version of a feature set or a transformation. `for await` gives its rows; awaited, it is the version. */
export interface SourceRows<Row> extends VersionRows<Row>, AsyncIterable<Row> {}

/** The rows of a version; nothing is read before it is asked for. */
export function sourceRows<Row>(load: () => Promise<TrainingRows<Row>>): SourceRows<Row> {
  return {
    ...storedRows<Row>(load),
    open: load,
    then: (resolve, reject) => load().then(resolve, reject),
    async *[Symbol.asyncIterator]() {
      yield* (await load()).rows();
    },
  };
}

/** The examples of a training set's version; nothing is read before it is asked for. */
export function trainingExamples<Row, LabelName extends string>(
  registry: Registry,
  load: () => Promise<TrainingRows<Row>>,
): TrainingExamples<Row, LabelName> {
  return {
    ...storedRows<Row>(load),
    open: load,
    then: (resolve, reject) => load().then(resolve, reject),
    async *[Symbol.asyncIterator]() {
      const rows = await load();
      const { features, label } = await columnsOf(registry, rows);
      const at = new Map(Object.keys(rows.schema).map((name, i) => [name, i]));
      const read = Object.values(rows.schema).map(reader);
      const places = features.map((name) => at.get(name) ?? -1);
      const labelAt = at.get(label) ?? -1;
      for await (const { rows: count, columns } of rows.batches())
        for (let i = 0; i < count; i++) {
          const value = (c: number): unknown => read[c]?.(columns[c]?.[i]);
          yield new Example<Row, LabelName>(vector(features, places.map(value)), value(labelAt));
        }
    },
  };
}

/** Which columns of a training set are its features, in order, and which is its label. */
async function columnsOf(
  registry: Registry,
  { resource }: Pick<TrainingRows, 'resource'>,
): Promise<{ readonly features: readonly string[]; readonly label: string }> {
  if (!isKind(resource, 'trainingSet'))
    throw new GranaryError('Internal', `${resource.id} is no training set.`);
  const { features, label } = resource.spec;
  const { name } = (await registry.resources.all()).get(label) ?? { name: label };
  return { features: features.flatMap(({ columns }) => columns.map(({ as }) => as)), label: name };
}
