import { fingerprint } from './canonical.js';
import { isKind, isRaw, type PipelineSpec, type Resource } from './contract.js';
import { GranaryError } from './errors.js';
import { ALL_TIME, type Interval } from './interval.js';

export type StepKind =
  'build' | 'transform' | 'materialize' | 'trainingSet' | 'rollback' | 'promote' | 'retire';

/** One resource to bring up to date for the interval. */
export interface PlanStep {
  /** The resource's id, which is also the step's. */
  readonly id: string;
  readonly kind: StepKind;
  readonly name: string;
  /** Ids of steps that must have succeeded. */
  readonly dependsOn: readonly string[];
  /** Where it is not the plan's. */
  readonly interval?: Interval;
}

/** What a run does: steps in dependency order. */
export interface Plan {
  readonly interval: Interval;
  readonly steps: readonly PlanStep[];
  /** Over the interval and every resource's fingerprint: pins the plan for the whole run. */
  readonly fingerprint: string;
}

/**
 * The steps that bring some targets up to date for an interval: everything upstream, each once, in dependency order.
 * Pure. A view that is not served online, a raw source and a label make no step of their own.
 */
export function plan(
  resources: ReadonlyMap<string, Resource>,
  targets: readonly string[],
  interval: Interval,
): Plan {
  const steps = new Map<string, PlanStep>();
  const prints: string[] = [];
  const get = (id: string): Resource => {
    const resource = resources.get(id);
    if (!resource) throw new GranaryError('UnknownResource', `There is no resource ${id}.`);
    return resource;
  };
  /** Adds what a resource needs and the resource; returns the ids of the steps that make it. */
  const visit = (id: string, materialize: boolean): readonly string[] => {
    const resource = get(id);
    // A reader of a view needs its source, not its online rows.
    if (isKind(resource, 'view') && !materialize) return visit(resource.spec.source, false);
    if (steps.has(id)) return [id];
    const step = (kind: StepKind, dependsOn: readonly string[]): readonly string[] => {
      steps.set(id, { id, kind, name: resource.name, dependsOn: [...new Set(dependsOn)] });
      prints.push(resource.fingerprint);
      return [id];
    };
    if (isKind(resource, 'source')) {
      const { spec } = resource;
      if (isRaw(spec)) return [];
      const upstream = Object.values(spec.inputs).flatMap((input) => visit(input, false));
      return step(spec.type === 'featureSet' ? 'build' : 'transform', upstream);
    }
    if (isKind(resource, 'view')) {
      const upstream = visit(resource.spec.source, false);
      return resource.spec.online !== undefined ? step('materialize', upstream) : upstream;
    }
    if (isKind(resource, 'trainingSet')) {
      const { label, features } = resource.spec;
      return step('trainingSet', [...visit(label, false), ...features.flatMap((f) => visit(f.view, false))]);
    }
    if (isKind(resource, 'label')) return visit(resource.spec.source, false);
    return [];
  };
  for (const target of targets) visit(target, true);
  return {
    interval,
    steps: [...steps.values()],
    fingerprint: fingerprint({ interval, steps: [...steps.keys()], prints }),
  };
}

/** The pipelines that make all of some resources, as targets or on the way to them. Pure. */
export function pipelinesMaking(
  resources: ReadonlyMap<string, Resource>,
  pipelines: Iterable<PipelineSpec>,
  ids: readonly string[],
): PipelineSpec[] {
  return [...pipelines].filter(({ targets }) => {
    const { steps } = plan(resources, targets, { start: '', end: '' });
    const made = new Set([...steps.map((step) => step.id), ...targets]);
    return ids.every((id) => made.has(id));
  });
}

/** The steps that load views from what is recorded: nothing is built, and none waits for another. Pure. */
export function loadPlan(
  views: readonly { readonly view: Resource<'view'>; readonly interval: Interval }[],
  interval: Interval,
): Plan {
  const steps = views.map(({ view, interval: own }): PlanStep => ({
    ...{ id: view.id, kind: 'materialize', name: view.name, dependsOn: [], interval: own },
  }));
  const prints = views.map(({ view }) => view.fingerprint);
  return { interval, steps, fingerprint: fingerprint({ interval, steps: steps.map((s) => s.id), prints }) };
}

/** The steps of a rollback: the feature set first, then every view of it that is served online. Pure. */
export function rollbackPlan(
  resources: ReadonlyMap<string, Resource>,
  featureSet: Resource<'source'>,
  interval: Interval,
): Plan {
  const views = [...resources.values()].filter(
    (r): r is Resource<'view'> =>
      isKind(r, 'view') && r.spec.source === featureSet.id && r.spec.online !== undefined,
  );
  const steps: readonly PlanStep[] = [
    { id: featureSet.id, kind: 'rollback', name: featureSet.name, dependsOn: [] },
    ...views.map(({ id, name }): PlanStep => ({ id, kind: 'materialize', name, dependsOn: [featureSet.id] })),
  ];
  const prints = [featureSet, ...views].map((resource) => resource.fingerprint);
  return { interval, steps, fingerprint: fingerprint({ interval, steps: steps.map((s) => s.id), prints }) };
}

/** The steps of a full refresh: each view by itself, for its own newest interval. Pure. */
export function refreshPlan(
  views: readonly { readonly view: Resource; readonly interval: Interval }[],
): Plan {
  const steps = views.map(({ view, interval }): PlanStep => {
    return { id: view.id, kind: 'materialize', name: view.name, dependsOn: [], interval };
  });
  // The run is known by the interval that ends last.
  const interval = views.reduce<Interval>(
    (last, { interval: own }) => (last.end < own.end ? own : last),
    views[0]?.interval ?? ALL_TIME,
  );
  return {
    interval,
    steps,
    fingerprint: fingerprint({ interval, steps, prints: views.map(({ view }) => view.fingerprint) }),
  };
}

/**
 * The steps of a promotion: the variant that becomes the default (a view that is served online is loaded under the plain name); then the one that
 * was it is loaded under its new name, for `before`, its newest interval, and what it was online under the plain name is taken away. Pure.
 */
export function promotionPlan(to: Resource, from: Resource, interval: Interval, before?: Interval): Plan {
  const online = isKind(to, 'view') && to.spec.online !== undefined;
  const isLoaded = isKind(from, 'view') && from.spec.online !== undefined && before !== undefined;
  const retire: PlanStep = {
    ...{ id: from.id, kind: 'retire', name: from.name, dependsOn: [to.id] },
    ...(isLoaded ? { interval: before } : {}),
  };
  const steps: readonly PlanStep[] = [
    { id: to.id, kind: online ? 'materialize' : 'promote', name: to.name, dependsOn: [] },
    ...(online ? [retire] : []),
  ];
  return {
    interval,
    steps,
    fingerprint: fingerprint({
      interval,
      steps: steps.map((s) => s.id),
      prints: [to.fingerprint, from.fingerprint],
    }),
  };
}
