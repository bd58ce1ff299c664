import { isRaw, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { ALL_TIME, intervalName, type Interval } from '../definitions/interval.js';
import { loadPlan, type Plan } from '../definitions/plan.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import { windowOf } from '../definitions/window.js';
import type { RegisteredResource } from '../registry/resources.js';
import { definitionsOf } from '../registry/definitions.js';
import type { Resources } from './inputs.js';
import type { RunRequest } from './messages.js';
import { onlineContents } from './online-contents.js';
import { recordedVersions } from '../registry/recorded-versions.js';
import { viewIds } from './resolve-request.js';
import type { Runtime } from './runtime.js';

/** A run that loads what is recorded, with everything settled. */
export interface ResolvedLoad {
  readonly plan: Plan;
  readonly resources: Resources;
  readonly window?: Interval;
  readonly notes: readonly string[];
}

type RegisteredView = Resource<'view'> & RegisteredResource;

/**
 * Settles what a load of recorded versions means: which views, the window (its relative times against the registry's clock, once), and for each view
 * the newest interval that its online store lacks, which the run will own; where it lacks none, the newest.
 * @throws GranaryError `SourceMissing` when a view that was named has nothing to load yet; `InvalidInput`, `InvalidInterval`.
 */
export async function resolveLoad(runtime: Runtime, request: RunRequest): Promise<ResolvedLoad> {
  const { registry } = runtime;
  await registry.migrate();
  const definitions = await definitionsOf(runtime);
  const ids = viewIds(definitions, request);
  await definitions.register();
  const resources = await registry.resources.all();
  const now = Timestamp.from(await registry.runs.clock());
  const window = windowOf(request, now);
  const views = ids.map((id) => resourceOf(resources, id, 'view') as RegisteredView);
  const notes: string[] = [];
  if (window && Timestamp.from(window.end).micros > now.micros)
    notes.push(
      `"to" is ${window.end}, which lies in the future: what comes until then is not loaded by this run.`,
    );
  const steps: { view: Resource<'view'>; interval: Interval }[] = [];
  for (const view of views) {
    const { interval, left } = await intervalToLoad(runtime, resources, view, window);
    notes.push(...left.map((text) => `${view.id}: ${text}`));
    if (interval) steps.push({ view, interval });
    else if (request.targets && !window)
      throw new GranaryError('SourceMissing', `${view.id} cannot be loaded: ${left.join(' ')}`);
  }
  return {
    plan: loadPlan(steps, window ?? ALL_TIME),
    resources,
    ...(window === undefined ? {} : { window }),
    notes,
  };
}

/** The interval that a view's step is to own, and in words what the run leaves out of it. */
async function intervalToLoad(
  runtime: Runtime,
  resources: Resources,
  view: RegisteredView,
  window: Interval | undefined,
): Promise<{ readonly interval?: Interval; readonly left: readonly string[] }> {
  const source = resourceOf(resources, view.spec.source, 'source');
  if (isRaw(source.spec)) {
    if (!window) return { interval: ALL_TIME, left: [] };
    if (source.spec.timestampField !== undefined) return { interval: window, left: [] };
    return {
      interval: ALL_TIME,
      left: [
        `its source ${source.name} has no timestamps, so no row is known to lie in the window: all are loaded.`,
      ],
    };
  }
  const { id: storeId } = await onlineContents(runtime, view);
  const { missing, valid, partly, timeless } = await recordedVersions(runtime.registry, view, source, {
    storeId,
    window,
  });
  const left: string[] = [];
  if (partly.length > 0)
    left.push(
      `${partly.map(({ interval }) => intervalName(interval)).join(', ')} ${partly.length === 1 ? 'lies' : 'lie'} in the window in part, and ${partly.length === 1 ? 'is' : 'are'} left out.`,
    );
  if (timeless.length > 0)
    left.push('what is recorded for all of time is left out: leave "from" and "to" out to load it.');
  const interval = (missing.at(-1) ?? valid.at(-1))?.interval;
  if (interval) return { interval, left };
  return {
    left: [
      ...left,
      window
        ? `${source.id} has no version in [${window.start}, ${window.end}).`
        : `${source.id} has no version yet. Run a pipeline that makes it, or granary apply.`,
    ],
  };
}
