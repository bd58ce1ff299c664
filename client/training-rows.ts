import type { CompiledProject } from '../definitions/compile.js';
import { isKind, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { registeredNear } from '../definitions/names.js';
import { asOfInterval, intervalName, isAllTime, isAsOf } from '../definitions/interval.js';
import { plan } from '../definitions/plan.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { SplitPart } from '../definitions/split.js';
import { intervalOfDate } from '../definitions/ticks.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { Row, Schema } from '../definitions/types.js';
import type { OpenProject } from '../providers/bind.js';
import type { ColumnBatch } from '../providers/columns.js';
import { rowsOf } from '../providers/rows.js';
import type { Dataset } from '../registry/dataset.js';
import type { Registry } from '../registry/registry.js';
import type { RegisteredResource } from '../registry/resources.js';
import { tiling } from '../registry/tiling.js';
import { timed } from '../registry/version-choice.js';
import { datasetRows, type DatasetRows } from './dataset-rows.js';
import { checkSplit, partBatches, type RowParts } from './row-parts.js';

/** One version or several of a training set or a feature set, ready to be read. */
export interface TrainingRows<R = Readonly<Record<string, unknown>>> {
  /** The resource that they are versions of. */
  readonly resource: RegisteredResource;
  /** What is read, oldest interval first. */
  readonly datasets: readonly Dataset[];
  /** Addresses of the Parquet files, for pandas, polars and others, oldest interval first; in a database that of the table. */
  readonly uris: readonly string[];
  readonly schema: Schema;
  /** Where the rows lie, one after the other. */
  readonly parts: readonly DatasetRows[];
  /** The part of a training set that is read; undefined: all rows. */
  readonly split: SplitPart | undefined;
  /** Streams the rows with back-pressure: constant memory. */
  rows(options?: { readonly limit?: number }): AsyncGenerator<R>;
  /** Streams the rows in columns, in the schema's order, as the engine hands them over. */
  batches(options?: { readonly limit?: number }): AsyncGenerator<ColumnBatch>;
}

/**
 * Which versions to read: one by its name, the current one of the interval that starts on a date, or that as of a time. Without any: of a training set
 * the current version of every interval, of a feature set that of the newest one, which is also all that there is of a label without a time.
 */
export interface VersionChoice {
  readonly version?: string;
  readonly date?: string;
  /** The instant that the training set was built as of; ISO-8601. */
  readonly asOf?: string;
  /** Only rows of this part of a training set that is split. */
  readonly split?: SplitPart;
}

/** Opens versions of a training set, or of a source that has versions. @throws GranaryError `UnknownResource`, `SourceMissing`. */
export async function openTrainingRows<R>(
  { providers, project }: OpenProject,
  registry: Registry,
  name: string,
  choice: VersionChoice,
  kind: 'trainingSet' | 'source' = 'trainingSet',
): Promise<TrainingRows<R>> {
  const what = kind === 'trainingSet' ? 'training set' : 'source';
  const resources = await registry.resources.all();
  const sets = [...resources.values()].filter((r) => isKind(r, kind));
  const set = sets.find((r) => (r.name === name && r.isDefault) || `${r.name}.${r.variant}` === name);
  if (!set)
    throw new GranaryError(
      'UnknownResource',
      `No ${what} "${name}" is registered. ${registeredNear(
        name,
        sets.map((r) => r.name),
      )}`,
    );
  const datasets = await chosenDatasets(registry, project, { resources, set }, choice);
  if (datasets.length === 0)
    throw new GranaryError('SourceMissing', `The ${what} ${name} ${missing(`${kind}/${name}`, choice)}`);
  // Versions of one resource have one schema: it is read once, not from a file a version.
  const parts: DatasetRows[] = [];
  for (const dataset of datasets) parts.push(await datasetRows(providers, set, dataset, parts[0]?.schema));
  const schema = parts[0]?.schema ?? {};
  const { split } = choice;
  checkSplit(`${what} ${name}`, schema, split);
  const rows: RowParts = { schema, parts, split };
  return {
    ...{ resource: set, datasets, schema, parts, split },
    uris: [...new Set(parts.map(({ uri }) => uri))],
    rows: (options) => rowsOf(partBatches(rows, options), schema) as AsyncGenerator<Row> as AsyncGenerator<R>,
    batches: (options) => partBatches(rows, options),
  };
}

interface Chosen {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly set: RegisteredResource;
}

async function chosenDatasets(
  registry: Registry,
  project: CompiledProject,
  { resources, set }: Chosen,
  { version, date, asOf }: VersionChoice,
): Promise<Dataset[]> {
  if (version !== undefined) {
    const found = await registry.datasets.named(set.id, version);
    return found ? [found] : [];
  }
  const all = await registry.datasets.current(set.id);
  if (asOf !== undefined) {
    const { end } = asOfInterval(asOf);
    return all.filter(({ interval }) => isAsOf(interval) && interval.end === end);
  }
  const built = all.filter(({ interval }) => !isAsOf(interval));
  if (date !== undefined) {
    const start = startOf(project, set.id, date);
    return built.filter(({ interval }) => interval.start === start);
  }
  if (!isKind(set, 'trainingSet')) return built.slice(-1);
  const ofIntervals = built.filter(({ interval }) => !isAllTime(interval));
  const current = ofIntervals.length > 0 ? ofIntervals : built;
  // Rows without a time are of no interval: each version has them all.
  const { timestampField } = resourceOf(resources, set.spec.label, 'label').spec;
  return timestampField === undefined ? current.slice(-1) : eachRowOnce(set, current);
}

/** Of versions whose intervals overlap those that have each label row once. @throws GranaryError `InvalidInterval` where that cannot be. */
function eachRowOnce({ name }: RegisteredResource, versions: readonly Dataset[]): Dataset[] {
  const { chosen, torn } = tiling(versions.map(timed));
  const [group] = torn;
  if (group)
    throw new GranaryError(
      'InvalidInterval',
      `The training set ${name} has versions whose intervals overlap in part, ${group.map(({ interval }) => intervalName(interval)).join(', ')}, so that label rows would be read twice. Build one interval that covers them, or read one version by its name or date.`,
    );
  return chosen.map(({ dataset }) => dataset);
}

function missing(id: string, { version, date, asOf }: VersionChoice): string {
  if (version !== undefined) return `has no version "${version}". "granary versions ${id}" shows them.`;
  if (asOf !== undefined)
    return `was not built as of ${asOf}. Build it: the workflow trainingSet with "asOf".`;
  return `has no version${date === undefined ? '' : ` for ${date}`} yet. Run its pipeline first.`;
}

/** The start of the interval that begins on a date, local to the schedule of the pipeline that makes the set; without one, in UTC. */
function startOf(project: CompiledProject, id: string, date: string): string {
  for (const pipeline of project.pipelines.values()) {
    const { steps } = plan(project.resources, pipeline.targets, { start: '', end: '' });
    if (steps.some((step) => step.id === id)) return intervalOfDate(pipeline.schedule, pipeline, date).start;
  }
  return Timestamp.from(date).toString();
}
