import { randomUUID } from 'node:crypto';
import { inputsHash, METADATA_FILE, ROWS_FILE, type Dataset, type LatestFile } from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import { crashPoint } from './crash-points.js';
import { describeVersion } from './describe-version.js';
import { stagedName } from './examine-version.js';
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
import { stagingFolder, stageText } from './staging.js';
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
    const facts = await registry.facts.noted(stagedName(request, staged));
    const stageFiles = async (rows: StagedFiles): Promise<LatestFile[]> => {
      const documents = describeVersion(resources, target, {
        request,
        staged: rows,
        facts,
        validation: facts?.validation ?? validation?.results ?? [],
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
        ...(facts === undefined ? {} : { facts }),
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
  const warnings = ((await registry.facts.of(dataset.id))?.validation ?? []).filter(({ passed }) => !passed);
  const result: StepResult = {
    step: step.id,
    outcome: 'made',
    rows: dataset.rows,
    version: dataset.version,
    dataset: dataset.id,
    generation: dataset.generation,
    location: await locationOf(runtime, dataset),
    ...(warnings.length === 0 ? {} : { warnings: warnings.map(({ message }) => message) }),
    ms: { store: Math.round(performance.now() - started) },
  };
  await registry.runs.setStep(run.id, step.id, 'COMPLETED', result);
  return result;
}

/** Feature sets and transformations lie under their own name, training sets apart from them. */
export const versionsFolder = (target: { readonly kind: string; readonly location: string }): string =>
  target.kind === 'trainingSet' ? `training_sets/${target.location}` : target.location;

async function stageDocuments(
  runtime: Runtime,
  target: RegisteredResource,
  { run }: StepRequest,
  staged: StagedFiles,
  documents: ReturnType<typeof describeVersion>,
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
