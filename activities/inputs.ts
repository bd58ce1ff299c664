import { isRaw, tableName, type Resource, type SourceSpec } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { isAllTime, type Interval } from '../definitions/interval.js';
import { resourceOf } from '../definitions/resource-of.js';
import { datasetInput, type DatasetInput } from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import { versionsFor, type VersionReader } from '../registry/version-choice.js';
import type { Runtime } from './runtime.js';

export type Resources = ReadonlyMap<string, RegisteredResource>;

/**
 * What one source holds for a reader, as contents: the checksums of a raw source's files, or versions.
 * @throws GranaryError `SourceMissing` when there is no file, or no version for a reader by interval or by another time.
 */
export async function inputsOf(
  runtime: Runtime,
  source: Resource<'source'>,
  reader: VersionReader,
): Promise<DatasetInput[]> {
  const { registry } = runtime;
  if (source.spec.type === 'file') return [await fileInput(runtime, source.id, source.spec)];
  if (source.spec.type === 'table') {
    const { schema, table } = tableName(source.spec);
    return [
      {
        type: 'table',
        source: source.id,
        table: `${schema}.${table}`,
        readAt: await registry.runs.clock(),
      },
    ];
  }
  const chosen = await versionsFor(registry.datasets, source, reader);
  const { start, end } = reader.interval;
  if (chosen.length === 0 && reader.by !== 'eventTime')
    throw new GranaryError(
      'SourceMissing',
      `${source.id} has no version for [${start}, ${end}) or before. Build it first.`,
    );
  return chosen.map(datasetInput);
}

/** The rows of a raw source that a reader of an interval may see; built ones are known by their versions' intervals. */
export const cut = (
  { spec }: Resource<'source'>,
  interval: Interval,
  from?: string,
): { readonly from?: string; readonly before?: string } =>
  !isRaw(spec) || isAllTime(interval)
    ? {}
    : { before: interval.end, ...(from === undefined ? {} : { from }) };

async function fileInput(
  runtime: Runtime,
  id: string,
  spec: Extract<SourceSpec, { type: 'file' }>,
): Promise<DatasetInput> {
  const store = runtime.providers.files(spec.store);
  const paths = await store.list(spec.path);
  if (paths.length === 0)
    throw new GranaryError(
      'SourceMissing',
      `The ${id} has no file: ${store.uri(spec.path)} does not exist. Put the file there, or correct the source's path or the environment's binding of "${spec.store}".`,
    );
  return {
    type: 'files',
    source: id,
    files: await Promise.all(paths.map(async (path) => ({ path, sha256: await store.checksum(path) }))),
  };
}

/** A raw source's file; its bytes must still be those that the run pinned. */
export async function localSource(
  runtime: Runtime,
  source: Resource<'source'>,
  path: string,
  sha256: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await runtime.providers.files(source.spec.store).localPath(path, { sha256, signal });
  } catch (error) {
    if (error instanceof GranaryError && error.code === 'ChecksumMismatch')
      throw changed(path, source.name, error);
    throw error;
  }
}

/**
 * Checks after the work that raw files are still those that were pinned before it: an engine reads by path, and somebody may have replaced a file
 * between the check and the read.
 */
export async function verifySources(
  runtime: Runtime,
  resources: Resources,
  pinned: readonly DatasetInput[],
): Promise<void> {
  for (const input of pinned) {
    if (input.type !== 'files') continue;
    const source = resourceOf(resources, input.source, 'source');
    const store = runtime.providers.files(source.spec.store);
    for (const { path, sha256 } of input.files)
      if ((await store.checksum(path)) !== sha256) throw changed(path, source.name);
  }
}

const changed = (path: string, source: string, cause?: unknown): GranaryError =>
  new GranaryError(
    'SourceInvalid',
    `The file ${path} of source ${source} changed while the run was reading it. Run the interval again.`,
    { cause },
  );
