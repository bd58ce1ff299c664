import { randomUUID } from 'node:crypto';
import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import { resourceOf } from '../definitions/resource-of.js';
import { inputsHash, METADATA_FILE, rowsChecksum, type Dataset } from '../registry/dataset.js';
import { crashPoint } from './crash-points.js';
import { runFacts } from './describe-version.js';
import type { Rollback, StepRequest, StepResult } from './messages.js';
import { ensurePublished } from './publication.js';
import { recordedMetadata, sameBytes } from './recorded-metadata.js';
import { refused } from './resolve-rollback.js';
import type { Runtime } from './runtime.js';
import { documentText, stagingFolder, stageText } from './staging.js';
import type { Attempt } from './step.js';
import { publishVersion } from './store-version.js';

/**
 * Commits the recorded bytes of an earlier version as a new generation of its interval. Rows, CSV and schema are published from where
 * the earlier version lies; metadata.json is the earlier one's but for `run`. The first commit of a run wins, as for any version.
 * @throws GranaryError `RollbackRefused` when another version became current since the run began; `ChecksumMismatch` or `SourceMissing` when the
 *   earlier version's files are no longer what was recorded. Nothing was changed then.
 */
export async function rollbackVersion(
  runtime: Runtime,
  request: StepRequest,
  attempt: Attempt,
): Promise<StepResult> {
  const started = performance.now();
  const { run, step, interval, rollback } = request;
  if (!rollback) throw new GranaryError('Internal', `${step.id} is not to be rolled back.`);
  const { datasets } = runtime.registry;
  const [from, of] = [await datasets.get(rollback.from), await datasets.get(rollback.of)];
  let dataset = await datasets.ofRun(step.id, interval, run.id);
  if (!dataset) {
    const token = await runtime.registry.ownership.nextToken({ target: step.id, interval }, run);
    // The owner reads what no one else can change before it commits.
    const [current] = await datasets.generations(step.id, interval);
    if (current && rowsChecksum(current) === rowsChecksum(of))
      // What was asked for is there, by an earlier rollback or one at the same time; the views are loaded all the same.
      return { ...(await publishVersion(runtime, request, current, started)), outcome: 'current' };
    if (current?.id !== from.id)
      throw refused(
        `${step.name} for ${intervalName(interval)} has a newer version, ${current?.version ?? 'none'}, made while this rollback of ${from.version} was waiting. Look at it ("granary rollback ${step.name} --list"), then roll back again if it is wrong too.`,
      );
    dataset = await commit(runtime, request, { rollback, from, of, token }, attempt.signal);
  }
  return {
    ...(await publishVersion(runtime, request, dataset, started)),
    rollback: { from: from.version, of: of.version },
  };
}

async function commit(
  runtime: Runtime,
  request: StepRequest,
  facts: {
    readonly rollback: Rollback;
    readonly from: Dataset;
    readonly of: Dataset;
    readonly token: number;
  },
  signal: AbortSignal,
): Promise<Dataset> {
  const { run, step, interval } = request;
  const { registry } = runtime;
  const { rollback, from, token } = facts;
  const of = await ensurePublished(runtime, facts.of);
  const target = resourceOf(await registry.resources.all(), step.id, 'source');
  const version = await registry.ownership.versionName(step.id, run);
  const generation = await registry.datasets.nextGeneration(step.id, interval);
  const by = { by: rollback.by, ...(rollback.reason === undefined ? {} : { reason: rollback.reason }) };
  const metadata = documentText({
    ...(await recordedMetadata(runtime, of)),
    run: { ...runFacts(request, version, generation), rollback: { of: of.version, ...by } },
  });
  const path = `${stagingFolder(run.id, target, token)}/${METADATA_FILE}`;
  const staged = await stageText(runtime, of.store, path, metadata, signal);
  const inputs = await registry.datasets.inputs(of.id);
  // The rows are those of that version, and so is all that was found of them.
  const found = await registry.facts.of(of.id);
  await crashPoint('rollback.before-commit');
  await registry.ownership.commit({ target: step.id, interval }, run, token, async (tx) => {
    await registry.datasets.insert(tx, {
      ...of,
      id: randomUUID(),
      generation,
      version,
      files: sameBytes(of, staged),
      run: run.id,
      token,
      inputs,
      inputsHash: inputsHash(inputs),
      ...(found === undefined ? {} : { facts: found }),
    });
    await registry.audit.recordRollback(tx, step.id, {
      from: from.version,
      of: of.version,
      version,
      run: run.id,
      ...by,
    });
  });
  await crashPoint('rollback.after-commit');
  return (await registry.datasets.ofRun(step.id, interval, run.id)) as Dataset;
}
