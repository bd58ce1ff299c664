import type { Resource } from '../../definitions/contract.js';
import type { NewestRows, Relation } from './provider.js';

/** What staging a load asks an engine for: the newest row per entity of the view's source. `eventTime` (ISO-8601) is that of rows without one. */
export function newestRows<R extends Relation>(
  view: Resource<'view'>,
  source: Resource<'source'>,
  { relation, eventTime, rowsPerShard }: Pick<NewestRows<R>, 'relation' | 'eventTime' | 'rowsPerShard'>,
): NewestRows<R> {
  const { timestampField, createdTimestampField } = source.spec;
  return {
    name: `feature view ${view.name}`,
    relation,
    joinKeys: view.spec.joinKeys,
    features: view.spec.features,
    ...(timestampField === undefined ? {} : { timestampField }),
    ...(createdTimestampField === undefined ? {} : { createdTimestampField }),
    eventTime,
    rowsPerShard,
  };
}
