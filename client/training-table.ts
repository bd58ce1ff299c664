import type { Row } from '../definitions/types.js';
import type { TableProvider } from '../providers/offline/table-provider.js';
import { rowsOf } from '../providers/rows.js';
import type { Dataset } from '../registry/dataset.js';
import type { TrainingRows } from './training-rows.js';

/** The rows of a training set that lies in a database: streamed by binary COPY, in the set's order. */
export async function tableRows<R>(
  provider: TableProvider,
  name: string,
  dataset: Dataset,
  table: string,
): Promise<TrainingRows<R>> {
  const schema = await provider.schemaOf(table);
  async function* rows(limit: number | undefined): AsyncGenerator<Row> {
    await using session = await provider.open({ signal: new AbortController().signal });
    const relation = {
      name: `training set ${name}`,
      schema,
      table: { schema: provider.schema, table },
      versions: [{ interval: dataset.interval, dataset: dataset.id }],
    };
    yield* rowsOf(session.read(relation, limit === undefined ? {} : { limit }), schema);
  }
  return {
    dataset,
    uri: provider.uri(table),
    schema,
    rows: (options) => rows(options?.limit) as AsyncGenerator<R>,
  };
}
