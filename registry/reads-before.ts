import { isKind, isRaw, type Resource } from '../definitions/contract.js';
import { isAllTime, type Interval } from '../definitions/interval.js';
import type { Plan } from '../definitions/plan.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import { trainingReads } from './training-reads.js';
import { readFrom } from './version-choice.js';

/**
 * The steps of a plan that read versions of intervals before their own: training sets, whose features are older than their labels, and sources that
 * look back on what other steps make. They find what they find in the order of the calendar only once the steps that they depend on have ended for
 * the intervals before. Pure.
 */
export function readsBefore(
  resources: ReadonlyMap<string, Resource>,
  { steps, interval }: Pick<Plan, 'steps' | 'interval'>,
): string[] {
  return steps.flatMap(({ id }) => {
    const target = resources.get(id);
    return target && looksBack(resources, target, interval) ? [id] : [];
  });
}

function looksBack(resources: ReadonlyMap<string, Resource>, target: Resource, interval: Interval): boolean {
  if (isAllTime(interval)) return false;
  if (isKind(target, 'trainingSet'))
    return trainingReads(resources, target, interval).some(({ source }) => !isRaw(source.spec));
  if (!isKind(target, 'source') || isRaw(target.spec)) return false;
  const from = readFrom(target.spec, interval);
  if (from !== undefined && Timestamp.from(from).micros >= Timestamp.from(interval.start).micros)
    return false;
  return Object.values(target.spec.inputs).some((id) => !isRaw(resourceOf(resources, id, 'source').spec));
}
