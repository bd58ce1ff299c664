import type { Schema } from '../definitions/types.js';
import type { BoundProviders } from '../providers/bind.js';
import type { ColumnBatch } from '../providers/columns.js';
import type { TableProvider } from '../providers/offline/table-provider.js';
import { publishedPath, ROWS_FILE, rowsChecksum, type Dataset } from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import { openScratch } from './scratch.js';

/** Which of the rows to read: the first so many. */
export interface RowsRead {
  readonly limit?: number | undefined;
}

/** The rows of one version, in a file or in a database. */
export interface DatasetRows {
  /** Address of the Parquet file; in a database that of the table. */
  readonly uri: string;
  /** The columns, in order. */
  readonly schema: Schema;
  /** Streams the rows in columns, in the schema's order, with back-pressure: constant memory. */
  batches(read?: RowsRead): AsyncGenerator<ColumnBatch>;
}

/** Finds the rows of one committed version. @throws GranaryError `SourceInvalid`, `SourceMissing`, `ChecksumMismatch`. */
export async function datasetRows(
  providers: BoundProviders,
  resource: Pick<RegisteredResource, 'kind' | 'name'>,
  dataset: Dataset,
): Promise<DatasetRows> {
  const name = `${resource.kind === 'trainingSet' ? 'training set' : 'source'} ${resource.name}`;
  return dataset.table
    ? await tableRows(providers.offline(dataset.store), name, dataset)
    : await fileRows(providers, name, dataset);
}

async function fileRows(providers: BoundProviders, name: string, dataset: Dataset): Promise<DatasetRows> {
  const store = providers.files(dataset.store);
  const described = JSON.parse(
    (await store.readText(publishedPath(dataset, 'schema.json'))) ?? '{"columns":[]}',
  ) as { columns: { name: string; type: Schema[string] }[] };
  const schema: Schema = Object.fromEntries(described.columns.map((column) => [column.name, column.type]));
  const file = publishedPath(dataset, ROWS_FILE);
  const sha256 = rowsChecksum(dataset);
  const uri = store.uri(file);
  async function* batches({ limit }: RowsRead = {}): AsyncGenerator<ColumnBatch> {
    await using scratch = await openScratch();
    const path = await scratch.hold.run(() => store.localPath(file, { sha256 }));
    const relation = {
      name,
      format: 'parquet' as const,
      files: [{ path, uri, generation: dataset.generation }],
      schema,
    };
    yield* scratch.session.read(relation, limit === undefined ? {} : { limit });
  }
  return { uri, schema, batches };
}

/** The rows of a version that lies in a database: streamed by binary COPY, a training set's in its order. */
async function tableRows(provider: TableProvider, name: string, dataset: Dataset): Promise<DatasetRows> {
  const { table, schema } = await provider.describe(dataset.id);
  async function* batches({ limit }: RowsRead = {}): AsyncGenerator<ColumnBatch> {
    await using session = await provider.open({ signal: new AbortController().signal });
    const relation = {
      name,
      schema,
      table: { schema: provider.schema, table },
      versions: [{ interval: dataset.interval, dataset: dataset.id }],
    };
    yield* session.read(relation, limit === undefined ? {} : { limit });
  }
  return { uri: provider.uri(table), schema, batches };
}
