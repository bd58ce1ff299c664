import { inDatabase, tableName, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { isAllTime, type Interval } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { BoundProviders } from '../providers/bind.js';
import type { FileRelation, RelationFile } from '../providers/offline/provider.js';
import { extractInParts, sourceShape, type Bounds } from '../providers/offline/source-relation.js';
import type { TableRelation } from '../providers/offline/table-provider.js';
import type { Dataset } from '../registry/dataset.js';
import type { Registry } from '../registry/registry.js';
import { localRows } from './dataset-rows.js';
import type { Scratch } from './scratch.js';

/** Where sources are read from. */
export interface Sources {
  readonly providers: BoundProviders;
  readonly registry: Registry;
  readonly scratch: Scratch;
}

/**
 * What a source holds now as files on this machine: a raw source's files or table, or the current version of each interval. `bounds` spares the
 * extraction of a table's rows; files are read as a whole. Of versions only those of the intervals that `isWanted` are taken.
 * @throws GranaryError `SourceMissing` when there is nothing yet.
 */
export async function sourceFiles(
  { providers, registry, scratch }: Sources,
  source: Resource<'source'>,
  bounds: Bounds,
  isWanted: (interval: Interval) => boolean = () => true,
): Promise<FileRelation> {
  const { spec } = source;
  const to = { ...scratch, signal: new AbortController().signal };
  if (spec.type === 'table') {
    const relation = { ...sourceShape(source, bounds), table: tableName(spec) };
    return await extractInParts(providers.offline(spec.store), relation, to);
  }
  if (spec.type === 'file') {
    const store = providers.files(spec.store);
    const paths = await store.list(spec.path);
    if (paths.length === 0)
      throw new GranaryError(
        'SourceMissing',
        `The source ${source.name} has no file: ${store.uri('')}/${spec.path} matches none.`,
      );
    const files: RelationFile[] = [];
    for (const path of paths)
      files.push({
        path: await scratch.hold.run(() => store.localPath(path)),
        uri: store.uri(path),
        generation: 0,
      });
    return { ...sourceShape(source), format: spec.format, files };
  }
  const datasets = currentVersions(
    source,
    (await registry.datasets.current(source.id)).filter(({ interval }) => isWanted(interval)),
  );
  if (inDatabase(spec)) {
    const provider = providers.offline(spec.store);
    const relation: TableRelation = {
      ...sourceShape(source, bounds),
      table: { schema: provider.schema, table: datasets[0]?.table?.name ?? source.name },
      versions: datasets.map(({ interval, id }) => ({ interval, dataset: id })),
    };
    return await extractInParts(provider, relation, to);
  }
  const files: RelationFile[] = [];
  for (const dataset of datasets)
    files.push(await localRows(providers.files(dataset.store), dataset, scratch.hold));
  return { ...sourceShape(source), format: 'parquet', files };
}

/**
 * Each row once: a version of all of time holds those of the intervals as well, so whichever of the two was made last counts. A source without
 * timestamps is whole in each version: its newest counts alone.
 */
function currentVersions({ id, name, spec }: Resource<'source'>, found: readonly Dataset[]): Dataset[] {
  const madeAt = (dataset: Dataset): bigint => Timestamp.from(dataset.committedAt).micros;
  const [first, ...others] = found;
  if (!first)
    throw new GranaryError(
      'SourceMissing',
      `The source ${name} has no version yet. Run a pipeline that makes ${id}, or granary apply.`,
    );
  const newest = others.reduce((a, b) => (madeAt(b) > madeAt(a) ? b : a), first);
  const ofAllTime = isAllTime(newest.interval);
  const alike = found.filter(({ interval }) => isAllTime(interval) === ofAllTime);
  return spec.timestampField === undefined ? alike.slice(-1) : alike;
}
