import type { Resource } from '../definitions/contract.js';
import { intervalName, isAsOf, type Interval } from '../definitions/interval.js';
import { datasetInput, type Dataset, type DatasetInput } from './dataset.js';
import type { Registry } from './registry.js';
import { trainingInputs, trainingReads } from './training-reads.js';
import { chooseVersions, timed, type TimedVersion } from './version-choice.js';

/** An interval of a training set whose rows were joined from other versions than would be read now. */
export interface StaleInterval {
  readonly interval: Interval;
  /** One sentence a source: `source/airport_features.1a2b has other versions now of 2001-03-02`. */
  readonly reasons: readonly string[];
}

/**
 * The intervals of a training set (those of `wanted` versions; default: all) that late or corrected rows upstream have touched, oldest first: a run
 * of each makes it anew, as if all had been there from the beginning. Sources that have no versions (files and tables of others) are not asked. What was built as of a time is never stale.
 */
export async function staleIntervals(
  registry: Pick<Registry, 'datasets' | 'resources'>,
  set: Resource<'trainingSet'>,
  wanted: (dataset: Dataset) => boolean = () => true,
): Promise<StaleInterval[]> {
  const { datasets } = registry;
  const resources = await registry.resources.all();
  const known = new Map<string, readonly TimedVersion[]>();
  const currentOf = async (source: string): Promise<readonly TimedVersion[]> => {
    const found = known.get(source) ?? (await datasets.current(source)).map(timed);
    known.set(source, found);
    return found;
  };
  const stale: StaleInterval[] = [];
  for (const dataset of await datasets.current(set.id)) {
    if (isAsOf(dataset.interval) || !wanted(dataset)) continue;
    const isVersion = (input: DatasetInput): boolean => input.type === 'dataset';
    const recorded = (await datasets.inputs(dataset.id)).filter(isVersion);
    const now = await trainingInputs(
      trainingReads(resources, set, dataset.interval),
      async ({ source, reader }) =>
        chooseVersions(source, await currentOf(source.id), reader).map(datasetInput),
    );
    const reasons = differences(recorded, now);
    if (reasons.length > 0) stale.push({ interval: dataset.interval, reasons });
  }
  return stale;
}

/** How many intervals a reason names. */
const NAMED = 3;

/** What was read in other versions than would be read now, a sentence a source. */
export function differences(recorded: readonly DatasetInput[], now: readonly DatasetInput[]): string[] {
  const identities = (inputs: readonly DatasetInput[]): Map<string, string> =>
    new Map(
      inputs.flatMap((input) =>
        input.type === 'dataset'
          ? [[JSON.stringify([input.source, intervalName(input.interval), input.use]), input.sha256] as const]
          : [],
      ),
    );
  const before = identities(recorded);
  const after = identities(now);
  const changed = new Map<string, Set<string>>();
  for (const key of new Set([...before.keys(), ...after.keys()]))
    if (before.get(key) !== after.get(key)) {
      const [source = '', name = ''] = JSON.parse(key) as string[];
      changed.set(source, (changed.get(source) ?? new Set()).add(name));
    }
  return [...changed].map(([source, intervals]) => {
    const names = [...intervals];
    const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
    return `${source} has other versions now of ${names.slice(0, NAMED).join(', ')}${more}`;
  });
}
