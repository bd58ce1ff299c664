import type { Resource } from '../definitions/contract.js';
import { isAllTime, type Interval } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';
import { liesIn } from '../definitions/window.js';
import type { Dataset } from './dataset.js';
import type { Registry } from './registry.js';

/** The current versions of a view's source, as a load of what is recorded has them; oldest interval first. */
export interface RecordedVersions {
  /** To be loaded: the ledger does not have them valid in the store. */
  readonly missing: readonly Dataset[];
  /** Valid in the store already. */
  readonly valid: readonly Dataset[];
  /** Left out of a window: recorded for an interval of which only a part lies in it. */
  readonly partly: readonly Dataset[];
  /** Left out of a window: recorded for all of time. */
  readonly timeless: readonly Dataset[];
}

type Records = Pick<Registry, 'datasets' | 'ledger' | 'refreshes'>;

/** Which intervals count online since a view's last full refresh: what one has left out is not there on purpose. */
export async function refreshedIntervals(
  { refreshes }: Pick<Registry, 'refreshes'>,
  view: string,
): Promise<(interval: Interval) => boolean> {
  const from = (await refreshes.last(view))?.from;
  if (from === undefined) return () => true;
  const { micros } = Timestamp.from(from);
  return ({ end }) => Timestamp.from(end).micros > micros;
}

/**
 * What of a view's recorded versions its online store lacks. Asked of the ledger interval by interval, so that a gap and a day that was built again
 * late count. What a full refresh has left out stays so until a run asks for it by its interval or a window, or the next refresh. A source without timestamps is whole in each version: its newest one counts alone.
 */
export async function recordedVersions(
  registry: Records,
  view: Resource<'view'>,
  source: Resource<'source'>,
  at: { readonly storeId: string; readonly window?: Interval | undefined; readonly all?: boolean },
): Promise<RecordedVersions> {
  const { storeId, window, all = false } = at;
  const current = await registry.datasets.current(source.id);
  const within = current.filter(({ interval }) =>
    window ? !isAllTime(interval) && liesIn(interval, window) === 'whole' : true,
  );
  const counted = source.spec.timestampField === undefined ? within.slice(-1) : within;
  const entries = all ? [] : await registry.ledger.of(view.id);
  const isWanted = window ? () => true : await refreshedIntervals(registry, view.id);
  const loaded = new Set(
    entries
      .filter((entry) => entry.storeId === storeId && entry.fingerprint === view.fingerprint)
      .map((entry) => entry.dataset),
  );
  return {
    missing: counted.filter(({ id, interval }) => !loaded.has(id) && isWanted(interval)),
    valid: counted.filter(({ id }) => loaded.has(id)),
    partly: current.filter(
      ({ interval }) => window && !isAllTime(interval) && liesIn(interval, window) === 'partly',
    ),
    timeless: current.filter(({ interval }) => window && isAllTime(interval)),
  };
}
