import { isKind, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName, isAllTime, isAsOf, isBefore, type Interval } from '../definitions/interval.js';
import type { Plan } from '../definitions/plan.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { Dataset } from '../registry/dataset.js';
import { tiling } from '../registry/tiling.js';
import type { Runtime } from './runtime.js';

/**
 * Refuses an interval of a training set that overlaps recorded ones in part: its label rows of the common part would be read twice, or the others of the
 * older version not at all. One that covers older ones, or lies within one, is read without either.
 * @throws GranaryError `InvalidInterval`.
 */
export async function refuseTorn(
  { registry }: Pick<Runtime, 'registry'>,
  resources: ReadonlyMap<string, Resource>,
  { steps, interval }: Pick<Plan, 'steps' | 'interval'>,
): Promise<void> {
  for (const { id } of steps) {
    const set = resources.get(id);
    if (!set || !isKind(set, 'trainingSet')) continue;
    // Without a time each version has all rows, and the newest alone is read.
    if (resourceOf(resources, set.spec.label, 'label').spec.timestampField === undefined) continue;
    const isOther = ({ interval: { start, end } }: { readonly interval: Interval }): boolean =>
      isBefore(start, interval.end) && !(start === interval.start && end === interval.end);
    // The usual run overlaps nothing, and there may be thousands of intervals before it.
    if (!ofIntervals(await registry.datasets.current(id, { after: interval.start })).some(isOther)) continue;
    const recorded = ofIntervals(await registry.datasets.current(id)).map((dataset) => ({
      interval: dataset.interval,
      madeAt: Timestamp.from(dataset.committedAt).micros,
    }));
    if (recorded.some(({ interval: { start, end } }) => start === interval.start && end === interval.end))
      continue;
    const wanted = { interval, madeAt: recorded.reduce((a, b) => (b.madeAt > a ? b.madeAt : a), 0n) + 1n };
    const torn = tiling([...recorded, wanted]).torn.find((group) => group.includes(wanted));
    if (!torn) continue;
    const others = torn.filter((each) => each !== wanted).map((each) => intervalName(each.interval));
    throw new GranaryError(
      'InvalidInterval',
      `The training set ${set.name} cannot be made for ${intervalName(interval)}: it overlaps in part what is recorded, ${others.slice(0, 3).join(', ')}${others.length > 3 ? ` and ${others.length - 3} more` : ''}, so that label rows would count twice. Give an interval that covers these or overlaps none of them; under another schedule, give the training set a new variant.`,
    );
  }
}

const ofIntervals = (datasets: readonly Dataset[]): readonly Dataset[] =>
  datasets.filter(({ interval }) => !isAllTime(interval) && !isAsOf(interval));
