import type { CompiledProject } from '../definitions/compile.js';
import { isKind } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { didYouMean } from '../definitions/names.js';
import { plan } from '../definitions/plan.js';
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
import { datasetRows, type DatasetRows } from './dataset-rows.js';
import { checkSplit, partBatches, type RowParts } from './row-parts.js';

/** One version of a training set or a feature set, ready to be read. */
export interface TrainingRows<R = Readonly<Record<string, unknown>>> {
  /** The resource that it is a version of. */
  readonly resource: RegisteredResource;
  readonly dataset: Dataset;
  /** Address of the Parquet file, for pandas, polars and others; in a database that of the table. */
  readonly uri: string;
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

/** Which version to read: by its name, that of an interval which starts on a date, or the newest interval's. */
export interface VersionChoice {
  readonly date?: string;
  readonly version?: string;
  /** Only rows of this part of a training set that is split. */
  readonly split?: SplitPart;
}

/** Opens a version of a training set, or of a source that has versions. */
export async function openTrainingRows<R>(
  { providers, project }: OpenProject,
  registry: Registry,
  name: string,
  { date, version, split }: VersionChoice,
  kind: 'trainingSet' | 'source' = 'trainingSet',
): Promise<TrainingRows<R>> {
  const what = kind === 'trainingSet' ? 'training set' : 'source';
  const sets = [...(await registry.resources.all()).values()].filter((r) => isKind(r, kind));
  const set = sets.find((r) => (r.name === name && r.isDefault) || `${r.name}.${r.variant}` === name);
  if (!set)
    throw new GranaryError(
      'UnknownResource',
      `No ${what} "${name}" is registered. ${didYouMean(
        name,
        sets.map((r) => r.name),
      )}`,
    );
  const choose = async (): Promise<Dataset | undefined> => {
    if (version !== undefined) return await registry.datasets.named(set.id, version);
    const versions = await registry.datasets.current(set.id);
    const start = date === undefined ? undefined : startOf(project, set.id, date);
    return start === undefined ? versions.at(-1) : versions.find((v) => v.interval.start === start);
  };
  const dataset = await choose();
  if (!dataset)
    throw new GranaryError(
      'SourceMissing',
      version === undefined
        ? `The ${what} ${name} has no version${date === undefined ? '' : ` for ${date}`} yet. Run its pipeline first.`
        : `The ${what} ${name} has no version "${version}". "granary versions ${kind}/${name}" shows them.`,
    );
  const found = await datasetRows(providers, set, dataset);
  checkSplit(`${what} ${name}`, found.schema, split);
  const { uri, schema } = found;
  const rows: RowParts = { schema, parts: [found], split };
  return {
    ...{ resource: set, dataset, uri, schema, parts: rows.parts, split },
    rows: (options) => rowsOf(partBatches(rows, options), schema) as AsyncGenerator<Row> as AsyncGenerator<R>,
    batches: (options) => partBatches(rows, options),
  };
}

/** The start of the interval that begins on a date, local to the schedule of the pipeline that makes the set; without one, in UTC. */
function startOf(project: CompiledProject, id: string, date: string): string {
  for (const pipeline of project.pipelines.values()) {
    const { steps } = plan(project.resources, pipeline.targets, { start: '', end: '' });
    if (steps.some((step) => step.id === id)) return intervalOfDate(pipeline.schedule, pipeline, date).start;
  }
  return Timestamp.from(date).toString();
}
