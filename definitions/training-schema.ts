import { orderedSchema, type Resource } from './contract.js';
import { GranaryError } from './errors.js';
import { resourceOf } from './resource-of.js';
import { SPLIT_COLUMN } from './split.js';
import type { Schema, ValueType } from './types.js';

/**
 * The columns of a training set's rows, in order: `split`, the label's own columns, the features, the label.
 * @throws GranaryError `UnknownResource`, `SchemaMismatch` when something that it names is not there.
 */
export function trainingSchema(
  resources: ReadonlyMap<string, Resource>,
  { spec }: Resource<'trainingSet'>,
): Schema {
  const label = resourceOf(resources, spec.label, 'label');
  const source = resourceOf(resources, label.spec.source, 'source');
  const carried = orderedSchema(source.spec);
  const features = spec.features.flatMap((choice) => {
    const view = resourceOf(resources, choice.view, 'view');
    const types = new Map(view.spec.features.map(({ name, type }) => [name, type]));
    return choice.columns.map(
      ({ feature, as }) => [as, known(view.id, feature, types.get(feature))] as const,
    );
  });
  return Object.fromEntries([
    ...(spec.split === undefined ? [] : [[SPLIT_COLUMN, 'string'] as const]),
    ...spec.include.map((column) => [column, known(source.id, column, carried[column])] as const),
    ...features,
    [label.name, label.spec.type] as const,
  ]);
}

function known(where: string, column: string, type: ValueType | undefined): ValueType {
  if (type === undefined) throw new GranaryError('SchemaMismatch', `${where} has no "${column}".`);
  return type;
}
