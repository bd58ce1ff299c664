import { isRaw, type Resource } from '../definitions/contract.js';
import { durationMicros, isAllTime, isAsOf, type Interval } from '../definitions/interval.js';
import { resourceOf } from '../definitions/resource-of.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { DatasetInput } from './dataset.js';
import type { VersionReader } from './version-choice.js';

/** What a training set reads of one source for an interval. */
export interface TrainingRead {
  readonly source: Resource<'source'>;
  readonly use: 'label' | 'features';
  readonly reader: VersionReader;
}

/** The label's rows of the interval, and of each view whatever can meet them in time. */
export function trainingReads(
  resources: ReadonlyMap<string, Resource>,
  set: Resource<'trainingSet'>,
  interval: Interval,
): TrainingRead[] {
  const label = resourceOf(resources, set.spec.label, 'label');
  const labelSource = resourceOf(resources, label.spec.source, 'source');
  const whole = isAllTime(interval) || isAsOf(interval);
  // Versions are known by their source's event times; a label with a time of its own may lie in any version, also a later one: outcomes come late.
  const { timestampField } = label.spec;
  const sameTime = timestampField !== undefined && timestampField === labelSource.spec.timestampField;
  const features = set.spec.features.map(({ view: id, lag }): TrainingRead => {
    const view = resourceOf(resources, id, 'view');
    const { ttl } = view.spec;
    const reach = ttl === undefined ? 0n : durationMicros(ttl);
    const from =
      reach === 0n || !sameTime || whole
        ? undefined
        : Timestamp.from(interval.start)
            .plus(-reach - (lag === undefined ? 0n : durationMicros(lag)))
            .toString();
    return {
      source: resourceOf(resources, view.spec.source, 'source'),
      use: 'features',
      reader: { interval, by: 'eventTime', from },
    };
  });
  const labels: VersionReader = sameTime
    ? { interval, by: 'eventTime', from: whole ? undefined : interval.start, once: true }
    : {
        interval,
        by: timestampField === undefined ? 'interval' : 'otherTime',
        from: undefined,
        once: true,
      };
  return [{ source: labelSource, use: 'label', reader: labels }, ...features];
}

/** The inputs of some reads in order, each of the features' once. */
export async function trainingInputs(
  reads: readonly TrainingRead[],
  inputsOf: (read: TrainingRead) => Promise<readonly DatasetInput[]>,
): Promise<DatasetInput[]> {
  const labels: DatasetInput[] = [];
  const features = new Map<string, DatasetInput>();
  for (const read of reads)
    for (const input of await inputsOf(read))
      if (read.use === 'label') labels.push({ ...input, use: 'label' });
      else
        features.set(input.type === 'dataset' ? input.dataset : input.source, { ...input, use: 'features' });
  return [...labels, ...features.values()];
}

/** The sources of some reads whose rows of an earlier time nobody keeps: files and tables of others, and what stands in a database. */
export const unversioned = (reads: readonly TrainingRead[]): Resource<'source'>[] => [
  ...new Map(
    reads.flatMap(({ source }) =>
      isRaw(source.spec) || source.spec.engine !== undefined ? [[source.id, source]] : [],
    ),
  ).values(),
];
