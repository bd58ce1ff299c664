import { GranaryError } from '../definitions/errors.js';
import type { Schema } from '../definitions/types.js';
import type { BoundProviders } from '../providers/bind.js';
import type { ColumnBatch } from '../providers/columns.js';
import { FileHold } from '../providers/files/file-hold.js';
import type { FileProvider } from '../providers/files/provider.js';
import type { FileRelation, RelationFile } from '../providers/offline/provider.js';
import { extractInParts } from '../providers/offline/source-relation.js';
import type { TableProvider, TableRelation } from '../providers/offline/table-provider.js';
import { publishedPath, ROWS_FILE, type Dataset, type LatestFile } from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import { openScratch, type Scratch } from './scratch.js';

/** How many rows to read; undefined: all. */
export interface RowsRead {
  readonly limit?: number | undefined;
}

/** A file on this machine's disk; with `sha256` its bytes are known. */
export interface LocalFile {
  readonly path: string;
  readonly sha256?: string;
}

/** The rows of one version, in a file or in a database. */
export interface DatasetRows {
  /** Address of the Parquet file; in a database that of the table. */
  readonly uri: string;
  /** The columns, in order. */
  readonly schema: Schema;
  /** Streams the rows in columns, in the schema's order, with back-pressure: constant memory. By a given engine, where one is needed. */
  batches(read?: RowsRead, scratch?: Scratch): AsyncGenerator<ColumnBatch>;
  /** The rows as files for an engine, in their order, as long as it lasts. */
  files(scratch: Scratch): Promise<FileRelation>;
  /** The file that is all of these rows in a format already, while it is held; undefined where none is. */
  whole(format: 'parquet' | 'csv', hold: FileHold): Promise<LocalFile | undefined>;
}

/** Finds the rows of one committed version; `schema` where it is known. @throws GranaryError `SourceInvalid`, `SourceMissing`, `ChecksumMismatch`. */
export async function datasetRows(
  providers: BoundProviders,
  resource: Pick<RegisteredResource, 'kind' | 'name'>,
  dataset: Dataset,
  schema?: Schema,
): Promise<DatasetRows> {
  const name = `${resource.kind === 'trainingSet' ? 'training set' : 'source'} ${resource.name}`;
  return dataset.table
    ? await tableRows(providers.offline(dataset.store), name, dataset)
    : fileRows(providers, name, dataset, schema ?? (await storedSchema(providers, dataset)));
}

async function storedSchema(providers: BoundProviders, dataset: Dataset): Promise<Schema> {
  const text = await providers.files(dataset.store).readText(publishedPath(dataset, 'schema.json'));
  const { columns } = JSON.parse(text ?? '{"columns":[]}') as {
    readonly columns: readonly { readonly name: string; readonly type: Schema[string] }[];
  };
  return Object.fromEntries(columns.map((column) => [column.name, column.type]));
}

function fileRows(providers: BoundProviders, name: string, dataset: Dataset, schema: Schema): DatasetRows {
  const store = providers.files(dataset.store);
  const files = async ({ hold }: Pick<Scratch, 'hold'>): Promise<FileRelation> => ({
    name,
    format: 'parquet',
    files: [await localRows(store, dataset, hold)],
    schema,
  });
  return {
    uri: store.uri(publishedPath(dataset, ROWS_FILE)),
    schema,
    files,
    batches: (read, scratch) => readFiles(files, read, scratch),
    async whole(format, hold) {
      const file = format === 'parquet' ? ROWS_FILE : 'features.csv';
      const recorded = dataset.files.find((one) => one.name === file);
      return recorded && { path: await localFile(store, dataset, recorded, hold), sha256: recorded.sha256 };
    },
  };
}

/** Streams files by a given engine, or by one of their own, which ends with the loop. */
export async function* readFiles(
  files: (scratch: Scratch) => Promise<FileRelation>,
  { limit }: RowsRead = {},
  scratch?: Scratch,
): AsyncGenerator<ColumnBatch> {
  await using own = scratch === undefined ? await openScratch() : undefined;
  const engine = own ?? (scratch as Scratch);
  // Held as long as they are read, although the engine reads others afterwards.
  await using hold = new FileHold();
  const relation = await files({ ...engine, hold });
  yield* engine.session.read(relation, limit === undefined ? {} : { limit });
}

/** The Parquet file of a version on this machine's disk, its bytes verified. */
export async function localRows(
  store: FileProvider,
  dataset: Dataset,
  hold: FileHold,
): Promise<RelationFile> {
  const recorded = dataset.files.find(({ name }) => name === ROWS_FILE);
  if (!recorded) throw new GranaryError('Internal', `The version ${dataset.id} has no ${ROWS_FILE}.`);
  return {
    path: await localFile(store, dataset, recorded, hold),
    uri: store.uri(publishedPath(dataset, ROWS_FILE)),
    generation: dataset.generation,
  };
}

/** One of a version's files; of one that was committed just now it may lie where it was staged still. */
async function localFile(
  store: FileProvider,
  dataset: Dataset,
  { name, sha256, staged }: LatestFile,
  hold: FileHold,
): Promise<string> {
  const local = (path: string): Promise<string> => hold.run(() => store.localPath(path, { sha256 }));
  return await local(publishedPath(dataset, name)).catch(async (error: unknown) => {
    if (dataset.published || !isMissing(error)) throw error;
    return await local(staged);
  });
}

const isMissing = (error: unknown): boolean =>
  error instanceof GranaryError && error.code === 'SourceMissing';

/** The rows of a version that lies in a database: streamed by binary COPY, a training set's in its order. */
async function tableRows(provider: TableProvider, name: string, dataset: Dataset): Promise<DatasetRows> {
  const { table, schema } = await provider.describe(dataset.id);
  const relation: TableRelation = {
    name,
    schema,
    table: { schema: provider.schema, table },
    versions: [{ interval: dataset.interval, dataset: dataset.id }],
  };
  const { signal } = new AbortController();
  return {
    uri: provider.uri(table),
    schema,
    async *batches({ limit }: RowsRead = {}) {
      await using session = await provider.open({ signal });
      yield* session.read(relation, limit === undefined ? {} : { limit });
    },
    files: (scratch) => extractInParts(provider, relation, { ...scratch, signal }),
    whole: () => Promise.resolve(undefined),
  };
}
