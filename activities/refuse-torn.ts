import { isKind, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName, isAllTime, isAsOf, isBefore, isSameInterval } from '../definitions/interval.js';
import type { Plan } from '../definitions/plan.js';
import { resourceOf } from '../definitions/resource-of.js';
import type { Dataset } from '../registry/dataset.js';
import { tiling, type Tile } from '../registry/tiling.js';
import { timed } from '../registry/version-choice.js';
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
    const isOther = (dataset: Dataset): boolean =>
      isBefore(dataset.interval.start, interval.end) && !isSameInterval(dataset.interval, interval);
    // The usual run overlaps nothing, and there may be thousands of intervals before it.
    if (!ofIntervals(await registry.datasets.current(id, { after: interval.start })).some(isOther)) continue;
    const recorded = ofIntervals(await registry.datasets.current(id)).map(timed);
    if (recorded.some((version) => isSameInterval(version.interval, interval))) continue;
    const wanted: Tile = {
      interval,
      madeAt: recorded.reduce((a, b) => (b.madeAt > a ? b.madeAt : a), 0n) + 1n,
    };
    const torn = tiling<Tile>([...recorded, wanted]).torn.find((group) => group.includes(wanted));
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
