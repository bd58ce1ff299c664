import type { Row } from '../definitions/types.js';
import type { TableProvider } from '../providers/offline/table-provider.js';
import type { ColumnBatch } from '../providers/columns.js';
import { rowsOf } from '../providers/rows.js';
import type { RegisteredResource } from '../registry/resources.js';
import type { Dataset } from '../registry/dataset.js';
import type { TrainingRows } from './training-rows.js';

/** The rows of a version that lies in a database: streamed by binary COPY, a training set's in its order. @throws GranaryError `SourceInvalid`. */
export async function tableRows<R>(
  provider: TableProvider,
  resource: RegisteredResource,
  dataset: Dataset,
): Promise<TrainingRows<R>> {
  const { table, schema } = await provider.describe(dataset.id);
  async function* batches(limit: number | undefined): AsyncGenerator<ColumnBatch> {
    await using session = await provider.open({ signal: new AbortController().signal });
    const relation = {
      name: `${resource.kind === 'trainingSet' ? 'training set' : 'source'} ${resource.name}`,
      schema,
      table: { schema: provider.schema, table },
      versions: [{ interval: dataset.interval, dataset: dataset.id }],
    };
    yield* session.read(relation, limit === undefined ? {} : { limit });
  }
  return {
    resource,
    dataset,
    uri: provider.uri(table),
    schema,
    rows: (options) => rowsOf(batches(options?.limit), schema) as AsyncGenerator<Row> as AsyncGenerator<R>,
    batches: (options) => batches(options?.limit),
  };
}
