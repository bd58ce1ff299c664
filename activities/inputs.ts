import { fingerprint } from '../definitions/canonical.js';
import {
  isKind,
  isRaw,
  tableName,
  type BuiltSourceSpec,
  type Resource,
  type SourceSpec,
} from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { durationMicros, isAllTime, type Interval } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import { rowsChecksum, type Dataset, type DatasetInput } from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import type { Runtime } from './runtime.js';

export type Resources = ReadonlyMap<string, RegisteredResource>;

/** @throws GranaryError `UnknownResource`. */
export function resourceOf<K extends Resource['kind']>(
  resources: Resources,
  id: string,
  kind: K,
): Resource<K> & RegisteredResource {
  const found = resources.get(id);
  if (!found || !isKind(found, kind))
    throw new GranaryError('UnknownResource', `The registry has no ${kind} ${id}.`);
  return found as Resource<K> & RegisteredResource;
}

/** The start of what a build for an interval reads of its inputs; undefined: from the beginning. */
export function readFrom(spec: BuiltSourceSpec, interval: Interval): string | undefined {
  if (spec.lookback === undefined || isAllTime(interval)) return undefined;
  return Timestamp.from(interval.start).plus(-durationMicros(spec.lookback)).toString();
}

/**
 * What one source holds for a reader, as contents: the checksums of a raw source's files, or the versions that the ledger calls
 * current. A source without timestamps is whole in each version: its newest one up to the interval's end counts alone.
 */
export async function inputsOf(
  runtime: Runtime,
  source: Resource<'source'>,
  reader: { readonly interval: Interval } & (
    | { readonly by: 'interval'; readonly from: string | undefined }
    | { readonly by: 'eventTime'; readonly from: string | undefined }
  ),
): Promise<DatasetInput[]> {
  if (source.spec.type === 'file') return [await fileInput(runtime, source.id, source.spec)];
  if (source.spec.type === 'table') {
    const { schema, table } = tableName(source.spec);
    return [
      {
        type: 'table',
        source: source.id,
        table: `${schema}.${table}`,
        readAt: await runtime.registry.runs.clock(),
      },
    ];
  }
  const { start, end } = reader.interval;
  const found = await runtime.registry.datasets.current(
    source.id,
    reader.by === 'eventTime' && source.spec.timestampField !== undefined
      ? { ...(reader.from === undefined ? {} : { from: reader.from }), before: end }
      : {},
  );
  const all = sameKindOfTime(found, reader.interval);
  const until = (d: Dataset): boolean => Timestamp.from(d.interval.end).micros <= Timestamp.from(end).micros;
  let chosen: Dataset[];
  if (source.spec.timestampField === undefined) chosen = all.filter(until).slice(-1);
  else if (reader.by === 'eventTime') chosen = all;
  else {
    const from = reader.from;
    chosen = all.filter(
      (d) =>
        until(d) &&
        (from === undefined || Timestamp.from(d.interval.end).micros > Timestamp.from(from).micros),
    );
  }
  if (chosen.length === 0 && reader.by === 'interval')
    throw new GranaryError(
      'SourceMissing',
      `${source.id} has no version for [${start}, ${end}) or before. Build it first.`,
    );
  return chosen.map((dataset) => datasetInput(dataset));
}

/** A version of all of time holds the rows of every interval as well: a reader has either that one, or the intervals'. */
function sameKindOfTime(found: Dataset[], interval: Interval): Dataset[] {
  const whole = found.filter((dataset) => isAllTime(dataset.interval));
  if (!isAllTime(interval)) return found.filter((dataset) => !whole.includes(dataset));
  return whole.length > 0 ? whole : found;
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

export function datasetInput(dataset: Dataset): DatasetInput {
  return {
    type: 'dataset',
    source: dataset.target,
    dataset: dataset.id,
    interval: dataset.interval,
    sha256: rowsChecksum(dataset),
  };
}

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

/** What identifies the contents that a step reads: equal contents give equal hashes, wherever and whenever they were made. */
export const inputsHash = (inputs: readonly DatasetInput[]): string =>
  fingerprint(
    inputs.map((input) =>
      input.type !== 'dataset'
        ? input
        : { source: input.source, use: input.use, interval: input.interval, sha256: input.sha256 },
    ),
  );

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
