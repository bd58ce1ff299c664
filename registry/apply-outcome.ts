import { isKind, type Resource } from '../definitions/contract.js';
import { neededFor, resourceName } from '../definitions/upstream.js';
import type { ApplyItem, Outcome, StepState } from './applies.js';

/** What the table of an apply calls a resource. */
export function itemType(resource: Resource): string {
  switch (resource.kind) {
    case 'provider':
      return 'Provider';
    case 'entity':
      return 'Entity';
    case 'source':
      return isKind(resource, 'source') && resource.spec.type === 'transformation'
        ? 'Transformation'
        : 'SourceVariant';
    case 'view':
      return 'FeatureVariant';
    case 'label':
      return 'LabelVariant';
    case 'trainingSet':
      return 'TrainingSetVariant';
  }
}

/** What is known once an apply's runs are over. */
export interface Facts {
  readonly resources: ReadonlyMap<string, Resource>;
  /** In the order of the definitions: upstream first. */
  readonly items: readonly ApplyItem[];
  readonly steps: ReadonlyMap<string, StepState>;
  /** Target -> why the whole run failed that was to make it. */
  readonly runErrors?: ReadonlyMap<string, string>;
  /** Why the rest was not made: the apply was cancelled or terminated. */
  readonly unfinished?: string;
}

/** The last word on every resource that has none yet: what a failure reaches is FAILED with the name of what failed. Pure. */
export function outcomesOf({ resources, items, steps, runErrors, unfinished }: Facts): Outcome[] {
  /** Failed id -> the name of what failed first. */
  const causes = new Map<string, string>();
  const outcomes: Outcome[] = [];
  for (const item of items) {
    const { id } = item;
    const named = `${id.split('/', 1)[0] === 'trainingSet' ? 'training set' : (id.split('/', 1)[0] ?? '')} ${resourceName(item)}`;
    const fail = (error: string, cause = named): void => {
      causes.set(id, cause);
      if (item.status !== 'FAILED') outcomes.push({ id, status: 'FAILED', error });
    };
    if (item.status === 'READY') continue;
    if (item.status === 'FAILED') {
      causes.set(id, named);
      continue;
    }
    const step = steps.get(id);
    const resource = resources.get(id);
    const upstream = (resource ? neededFor(resource, resources) : []).find((other) => causes.has(other));
    const cause = upstream === undefined ? undefined : causes.get(upstream);
    const why = runErrors?.get(id);
    if (step?.status === 'COMPLETED') outcomes.push({ id, status: 'READY' });
    else if (cause !== undefined) fail(`not made, because ${cause} failed`, cause);
    else if (step?.status === 'FAILED') fail(step.error ?? 'its step failed');
    else if (why !== undefined) fail(why);
    // Nothing failed here: what depends on it was not come to either.
    else if (unfinished !== undefined) outcomes.push({ id, status: 'FAILED', error: unfinished });
    else outcomes.push({ id, status: 'READY' });
  }
  return outcomes;
}

/** The items of an apply that is under way, with what its steps do at this moment. Pure. */
export const itemsNow = (items: readonly ApplyItem[], steps: ReadonlyMap<string, StepState>): ApplyItem[] =>
  items.map((item) => {
    const step = item.status === 'PENDING' ? steps.get(item.id) : undefined;
    if (step?.status === 'RUNNING') return { ...item, status: 'RUNNING' };
    if (step?.status === 'COMPLETED') return { ...item, status: 'READY' };
    if (step?.status === 'FAILED') return { ...item, status: 'FAILED', error: step.error };
    return item;
  });
