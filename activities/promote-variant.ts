import { randomUUID } from 'node:crypto';
import { isKind } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { resourceOf } from '../definitions/resource-of.js';
import { inputsHash, METADATA_FILE, type Dataset } from '../registry/dataset.js';
import type { RegisteredResource } from '../registry/resources.js';
import { crashPoint } from './crash-points.js';
import { runFacts } from './describe-version.js';
import type { PromotionRef, StepRequest, StepResult } from './messages.js';
import { retireReplaced } from './promotion.js';
import { ensurePublished } from './publication.js';
import { recordedMetadata, sameBytes } from './recorded-metadata.js';
import type { Runtime } from './runtime.js';
import { documentText, stagingFolder, stageText } from './staging.js';
import type { Attempt } from './step.js';
import { publishVersion, versionsFolder } from './store-version.js';
import { placesOf } from './table-places.js';

/**
 * Makes a variant the default. A feature set's newest version is committed again under the plain name, in the transaction that switches, so that
 * `latest` there follows it; of all else only the names change places. The first commit of a run wins.
 * @throws GranaryError `PromotionRefused` when another variant became the default meanwhile; nothing was changed then.
 */
export async function promoteVariant(
  runtime: Runtime,
  request: StepRequest,
  attempt: Attempt,
): Promise<StepResult> {
  const started = performance.now();
  const { run, step, interval } = request;
  const { registry } = runtime;
  const promotion = promotionOf(request);
  const claim = { target: step.id, interval };
  const target = (await registry.resources.all()).get(step.id);
  if (!target) throw new GranaryError('UnknownResource', `${step.id} was deleted meanwhile.`);
  const newest = await registry.datasets.newest(step.id);
  if (newest?.hasLatest) {
    const again =
      (await registry.datasets.ofRun(step.id, interval, run.id)) ??
      (await commitAgain(runtime, request, { promotion, target, of: newest }, attempt.signal));
    await arrangeTables(runtime, promotion);
    return await publishVersion(runtime, request, again, started);
  }
  if (!target.isDefault || target.promotion !== promotion.number) {
    const token = await registry.ownership.nextToken(claim, run);
    await crashPoint('promote.before-switch');
    await registry.ownership.commit(claim, run, token, (tx) =>
      registry.promotions.switch(tx, promotion, claim, run),
    );
  }
  await crashPoint('promote.after-switch');
  await arrangeTables(runtime, promotion);
  // A view that is not served online has nothing to take away.
  if (isKind(target, 'view')) await registry.promotions.markRetired(promotion.name, promotion.number);
  const result: StepResult = {
    step: step.id,
    outcome: 'made',
    rows: newest?.rows ?? 0,
    ms: { switch: Math.round(performance.now() - started) },
  };
  await registry.runs.setStep(run.id, step.id, 'COMPLETED', result);
  return result;
}

/** In the databases that either variant lies in, tables get the names that the switch gave them. Any later publication there does it too. */
async function arrangeTables(runtime: Runtime, { from, to }: PromotionRef): Promise<void> {
  const newest = await Promise.all([from, to].map((id) => runtime.registry.datasets.newest(id)));
  const stores = new Set(newest.flatMap((dataset) => (dataset?.table ? [dataset.store] : [])));
  const places = placesOf(runtime);
  for (const store of stores)
    await runtime.providers.offline(store).arrange(async () => {
      const now = await places();
      await crashPoint('promote.mid-tables');
      return now;
    });
  await crashPoint('promote.after-tables');
}

/** The bytes of a feature set's newest version as a new generation under the plain name, and the switch. */
async function commitAgain(
  runtime: Runtime,
  request: StepRequest,
  facts: { readonly promotion: PromotionRef; readonly target: RegisteredResource; readonly of: Dataset },
  signal: AbortSignal,
): Promise<Dataset> {
  const { run, step, interval } = request;
  const { registry } = runtime;
  const { promotion, target } = facts;
  const claim = { target: step.id, interval };
  const token = await registry.ownership.nextToken(claim, run);
  const of = await ensurePublished(runtime, facts.of);
  const version = await registry.ownership.versionName(step.id, run);
  const generation = await registry.datasets.nextGeneration(step.id, interval);
  const metadata = documentText({
    ...(await recordedMetadata(runtime, of)),
    run: { ...runFacts(request, version, generation), promotion: { of: of.version, from: promotion.from } },
  });
  const path = `${stagingFolder(run.id, target, token)}/${METADATA_FILE}`;
  const staged = await stageText(runtime, of.store, path, metadata, signal);
  const inputs = await registry.datasets.inputs(of.id);
  // The rows are those of that version, and so is all that was found of them.
  const found = await registry.facts.of(of.id);
  await crashPoint('promote.before-switch');
  await registry.ownership.commit(claim, run, token, async (tx) => {
    await registry.promotions.switch(tx, promotion, claim, run);
    await registry.datasets.insert(tx, {
      ...of,
      id: randomUUID(),
      generation,
      version,
      folder: versionsFolder({ kind: target.kind, location: promotion.name }),
      files: sameBytes(of, staged),
      run: run.id,
      token,
      inputs,
      inputsHash: inputsHash(inputs),
      ...(found === undefined ? {} : { facts: found }),
    });
  });
  await crashPoint('promote.after-switch');
  return (await registry.datasets.ofRun(step.id, interval, run.id)) as Dataset;
}

/** Takes away online what a promotion, or the full refresh of a view, replaced. */
export async function retireVariant(runtime: Runtime, request: StepRequest): Promise<StepResult> {
  const started = performance.now();
  const { run, step, refresh } = request;
  const { registry } = runtime;
  const id = refresh ? step.id : promotionOf(request).to;
  await crashPoint('promote.before-retire');
  const view = resourceOf(await registry.resources.all(), id, 'view');
  const removed = await retireReplaced(runtime, view);
  await crashPoint('promote.after-retire');
  await registry.runs.setStep(run.id, step.id, 'COMPLETED');
  return {
    step: step.id,
    outcome: 'made',
    rows: 0,
    ms: { retire: Math.round(performance.now() - started) },
    ...(refresh ? { removed } : {}),
  };
}

function promotionOf({ step, promotion }: StepRequest): PromotionRef {
  if (!promotion) throw new GranaryError('Internal', `${step.id} is not to be promoted.`);
  return promotion;
}
