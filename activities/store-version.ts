import { randomUUID } from 'node:crypto';
import { isKind, isRaw, orderedSchema, type Resource } from '../definitions/contract.js';
import { trainingSchema } from '../definitions/training-schema.js';
import type { Schema } from '../definitions/types.js';
import {
  inputsHash,
  METADATA_FILE,
  ROWS_FILE,
  type Dataset,
  type DatasetInput,
  type LatestFile,
} from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import { crashPoint } from './crash-points.js';
import type { Resources } from './inputs.js';
import type {
  StagedFiles,
  StagedRef,
  StagedRows,
  StepRequest,
  StepResult,
  ValidationOutcome,
} from './messages.js';
import { ensurePublished, locationOf, projectLatest } from './publication.js';
import type { Runtime } from './runtime.js';
import { documentText, stagingFolder, stageText } from './staging.js';
import type { Attempt } from './step.js';
import { tableNameOf } from './table-places.js';

/**
 * Commits staged rows as a version and publishes it. The order is the protocol: stage every file, commit one row in the
 * registry, copy the recorded bytes to `v_.../`, then point `latest` at them. Cut off anywhere, a retry or a later run goes on from
 * the commit row.
 */
export async function storeVersion(
  runtime: Runtime,
  request: StepRequest,
  staged: StagedRows,
  validation: ValidationOutcome | undefined,
  attempt: Attempt,
): Promise<StepResult> {
  const started = performance.now();
  const { run, step, interval } = request;
  const claim = { target: step.id, interval };
  const { registry } = runtime;
  // The first commit of a run wins: a retry after a lost answer finds it and only publishes.
  let dataset = await registry.datasets.ofRun(step.id, interval, run.id);
  if (!dataset) {
    const token = await registry.ownership.nextToken(claim, run);
    const resources = await registry.resources.all();
    const target = resources.get(step.id) as RegisteredResource;
    const inputs = await registry.runs.inputs(run.id, step.id);
    const version = await registry.ownership.versionName(step.id, run);
    const generation = await registry.datasets.nextGeneration(step.id, interval);
    const stageFiles = async (rows: StagedFiles): Promise<LatestFile[]> => {
      const documents = await describeVersion(resources, target, {
        request,
        staged: rows,
        validation,
        inputs,
        version,
        generation,
      });
      return await stageDocuments(runtime, target, request, rows, documents, token, attempt.signal);
    };
    const rows =
      'table' in staged
        ? {
            folder: runtime.providers.offline(staged.store).schema,
            files: [],
            table: { name: tableNameOf(target), staged: staged.table },
          }
        : {
            folder: versionsFolder(target),
            files: await stageFiles(staged),
          };
    await crashPoint('store.before-commit');
    await registry.ownership.commit(claim, run, token, (tx) =>
      registry.datasets.insert(tx, {
        id: randomUUID(),
        target: step.id,
        interval,
        generation,
        version,
        store: staged.store,
        ...rows,
        rows: staged.rows,
        ...(staged.eventTimes === undefined ? {} : { eventTimes: staged.eventTimes }),
        fingerprint: target.fingerprint,
        ...(staged.codeHash === undefined ? {} : { codeHash: staged.codeHash }),
        hasLatest: step.kind === 'build',
        run: run.id,
        token,
        inputs,
        inputsHash: inputsHash(inputs),
      }),
    );
    await crashPoint('store.after-commit');
    dataset = (await registry.datasets.ofRun(step.id, interval, run.id)) as Dataset;
  }
  return await publishVersion(runtime, request, dataset, started);
}

/** What follows a commit: puts the version where readers look, points `latest` at it, and ends the step. */
export async function publishVersion(
  runtime: Runtime,
  { run, step }: StepRequest,
  committed: Dataset,
  started: number,
): Promise<StepResult> {
  const { registry } = runtime;
  const dataset = await ensurePublished(runtime, committed);
  await crashPoint('store.before-latest');
  if (dataset.hasLatest) await projectLatest(runtime, step.id);
  await crashPoint('store.after-latest');
  await registry.resources.mark(step.id, 'READY');
  await registry.runs.setStep(run.id, step.id, 'COMPLETED');
  return {
    step: step.id,
    outcome: 'made',
    rows: dataset.rows,
    version: dataset.version,
    dataset: dataset.id,
    generation: dataset.generation,
    location: await locationOf(runtime, dataset),
    ms: { store: Math.round(performance.now() - started) },
  };
}

/** Feature sets and transformations lie under their own name, training sets apart from them. */
export const versionsFolder = (target: { readonly kind: string; readonly location: string }): string =>
  target.kind === 'trainingSet' ? `training_sets/${target.location}` : target.location;

interface VersionFacts {
  readonly request: StepRequest;
  readonly staged: StagedFiles;
  readonly validation: ValidationOutcome | undefined;
  readonly inputs: readonly DatasetInput[];
  readonly version: string;
  readonly generation: number;
}

/** schema.json and metadata.json. All that differs between two equal runs stands in the one object `run`. */
async function describeVersion(
  resources: Resources,
  target: RegisteredResource,
  facts: VersionFacts,
): Promise<{ schema: string; metadata: (schema: StagedRef) => string }> {
  const { request, staged, validation, inputs, version, generation } = facts;
  const shape = shapeOf(resources, target);
  const file = ({ bytes, sha256 }: StagedRef): object => ({ bytes, sha256 });
  const schema = documentText({
    name: target.name,
    variant: target.variant,
    columns: Object.entries(shape.schema).map(([name, type]) => ({ name, type })),
    keys: shape.keys,
    timestampField: shape.timestampField ?? null,
  });
  return {
    schema,
    metadata: (schemaFile) =>
      documentText({
        name: target.name,
        variant: target.variant,
        kind: target.kind,
        fingerprint: target.fingerprint,
        interval: request.interval,
        rows: staged.rows,
        eventTimes: staged.eventTimes ?? null,
        files: {
          'features.parquet': file(staged.parquet),
          'features.csv': file(staged.csv),
          'schema.json': file(schemaFile),
        },
        upstream: inputs.map((input) =>
          input.type === 'files'
            ? { source: input.source, files: input.files }
            : input.type === 'table'
              ? { source: input.source, table: input.table, readAt: input.readAt }
              : { source: input.source, interval: input.interval, sha256: input.sha256 },
        ),
        codeHash: staged.codeHash ?? null,
        validation: (validation?.results ?? []).map(({ rule, observed, message }) => ({
          rule,
          observed,
          message,
        })),
        ...(staged.matched === undefined ? {} : { matched: staged.matched }),
        metadata: shape.metadata,
        run: runFacts(request, version, generation),
      }),
  };
}

/** The part of metadata.json that differs between two equal runs. */
export const runFacts = ({ run }: StepRequest, version: string, generation: number): object => ({
  id: run.id,
  workflowId: run.workflowId,
  version,
  generation,
  createdAt: new Date().toISOString(),
});

function shapeOf(
  resources: Resources,
  target: Resource,
): { schema: Schema; keys: readonly string[]; timestampField?: string; metadata: object } {
  if (isKind(target, 'source') && !isRaw(target.spec))
    return {
      schema: orderedSchema(target.spec),
      keys: target.spec.keys,
      ...(target.spec.timestampField === undefined ? {} : { timestampField: target.spec.timestampField }),
      metadata: target.spec.metadata,
    };
  if (isKind(target, 'trainingSet'))
    return { schema: trainingSchema(resources, target), keys: [], metadata: {} };
  return { schema: {}, keys: [], metadata: {} };
}

async function stageDocuments(
  runtime: Runtime,
  target: RegisteredResource,
  { run }: StepRequest,
  staged: StagedFiles,
  documents: Awaited<ReturnType<typeof describeVersion>>,
  token: number,
  signal: AbortSignal,
): Promise<LatestFile[]> {
  const folder = stagingFolder(run.id, target, token);
  const put = (name: string, text: string): Promise<StagedRef> =>
    stageText(runtime, staged.store, `${folder}/${name}`, text, signal);
  const schema = await put('schema.json', documents.schema);
  const metadata = await put(METADATA_FILE, documents.metadata(schema));
  return [
    stagedFile(ROWS_FILE, staged.parquet),
    stagedFile('features.csv', staged.csv),
    stagedFile('schema.json', schema),
    stagedFile(METADATA_FILE, metadata),
  ];
}

/** A staged file under the name that it gets in the version's folder. */
export const stagedFile = (name: string, { path, bytes, sha256 }: StagedRef): LatestFile => ({
  name,
  staged: path,
  bytes,
  sha256,
});
