import { inDatabase, tableName, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import type { FileRelation, OfflineSession, RelationFile } from '../providers/offline/provider.js';
import { extractTable, sourceShape, type Bounds } from '../providers/offline/source-relation.js';
import type { TableRelation } from '../providers/offline/table-provider.js';
import { publishedPath, ROWS_FILE, type DatasetInput } from '../registry/dataset.js';
import { localSource } from './inputs.js';
import { ensurePublished } from './publication.js';
import type { Runtime } from './runtime.js';

/** Which of a source's rows a reader sees, and what for. */
export interface Reading extends Bounds {
  readonly use?: 'label' | 'features';
}

/** A DuckDB step's session, folder and signal. */
export interface EngineStep {
  readonly session: OfflineSession;
  readonly folder: string;
  readonly signal: AbortSignal;
}

/**
 * Some inputs of one source as files on this machine's disk, each verified by its checksum. Rows of a database are extracted, by binary
 * COPY straight into columns.
 */
export async function relationOf(
  runtime: Runtime,
  source: Resource<'source'>,
  inputs: readonly DatasetInput[],
  step: EngineStep,
  reading: Reading = {},
): Promise<FileRelation> {
  if (inDatabase(source.spec))
    return await extractTable(
      runtime.providers.offline(source.spec.store),
      await tableOf(runtime, source, inputs, reading),
      step,
    );
  const { spec } = source;
  const store = runtime.providers.files(spec.store);
  const { signal } = step;
  const files: RelationFile[] = [];
  for (const input of chosen(source, inputs, reading)) {
    if (input.type === 'files') {
      for (const { path, sha256 } of input.files)
        files.push({
          path: await localSource(runtime, source, path, sha256, signal),
          uri: store.uri(path),
          generation: 0,
        });
    } else if (input.type === 'dataset') {
      const dataset = await ensurePublished(runtime, await runtime.registry.datasets.get(input.dataset));
      const path = publishedPath(dataset, ROWS_FILE);
      files.push({
        path: await runtime.providers.files(dataset.store).localPath(path, { sha256: input.sha256, signal }),
        uri: runtime.providers.files(dataset.store).uri(path),
        generation: dataset.generation,
      });
    }
  }
  return {
    ...sourceShape(source, reading),
    format: spec.type === 'file' ? spec.format : 'parquet',
    files,
  };
}

/** Some inputs of one source as a table of the database that it lies in. */
export async function tableOf(
  runtime: Runtime,
  source: Resource<'source'>,
  inputs: readonly DatasetInput[],
  reading: Reading = {},
): Promise<TableRelation> {
  const { spec } = source;
  if (spec.type === 'table')
    return {
      ...sourceShape(source, reading),
      table: tableName(spec),
    };
  const { schema } = runtime.providers.offline(spec.store);
  const versions: NonNullable<TableRelation['versions']>[number][] = [];
  let table = '';
  for (const input of chosen(source, inputs, reading)) {
    if (input.type !== 'dataset') continue;
    const dataset = await ensurePublished(runtime, await runtime.registry.datasets.get(input.dataset));
    if (!dataset.table)
      throw new GranaryError(
        'Internal',
        `${source.id} lies in a database, but its version ${dataset.id} does not.`,
      );
    table = dataset.table.name;
    versions.push({ interval: dataset.interval, dataset: dataset.id });
  }
  return { ...sourceShape(source, reading), table: { schema, table }, versions };
}

const chosen = (
  source: Resource<'source'>,
  inputs: readonly DatasetInput[],
  { use }: Reading,
): readonly DatasetInput[] =>
  inputs.filter((input) => input.source === source.id && (use === undefined || input.use === use));
