import { wholeName } from '../providers/offline/postgres/sql-text.js';
import type { Places } from '../providers/offline/table-provider.js';
import type { Runtime } from './runtime.js';

/** The table of a database that a resource's rows are in; names of resources have no "__". */
export const tableNameOf = (target: { readonly kind: string; readonly location: string }): string =>
  wholeName(target.kind === 'trainingSet' ? `training_set__${target.location}` : target.location);

/** Where the registry says, at each asking, that sources and training sets lie. */
export const placesOf =
  ({ registry }: Runtime): Places =>
  async () => {
    const found = await registry.resources.locations(['source', 'trainingSet']);
    return new Map(found.map((resource) => [resource.id, tableNameOf(resource)]));
  };
