import { metricMeter } from '@temporalio/activity';
import { GranaryError } from '../definitions/errors.js';
import type { ColumnBatch } from '../providers/columns.js';
import { compareRows, differenceText, newComparison } from '../providers/online/compare-rows.js';
import type { OnlineBatch, OnlineProvider, OnlineView } from '../providers/online/provider.js';
import type { CheckCounts, StagedLoad } from './messages.js';
import { keyRows, toOnline } from '../providers/staged-shard.js';

/** Entities of a load that are read back, at least, where it has as many. */
const SAMPLE = 1000;

/** Which rows of a shard are read back: every so-many-th, so that a retry reads the same. */
export function sampleEvery({ rows, shards }: StagedLoad, shard: number): number {
  const own = shards[shard]?.rows ?? 0;
  const wanted = Math.ceil((SAMPLE * own) / Math.max(1, rows));
  return Math.max(1, Math.floor(own / Math.max(1, wanted)));
}

/** What to hold against each other. */
export interface ShardCheck {
  readonly name: string;
  /** The sampled rows of a shard; columns as STAGED_COLUMNS says. */
  readonly batches: AsyncIterable<ColumnBatch>;
  readonly online: Pick<OnlineProvider, 'read' | 'write' | 'description'>;
  readonly view: OnlineView;
  readonly promotion: number;
  readonly signal: AbortSignal;
  /** Asked before the check fails: it throws when the store or the view is another by now, or the attempt is not the live one. */
  readonly confirm: () => Promise<void>;
}

/**
 * Reads rows back that were just loaded and holds them against what was staged. A newer row is fine.
 * @throws GranaryError `OnlineMismatch` that names an entity, a feature and both values.
 */
export async function checkShard(check: ShardCheck): Promise<CheckCounts> {
  const { name, batches, online, view, promotion, signal, confirm } = check;
  const total = newComparison();
  const features = view.features.map((feature) => feature.name);
  for await (const columns of batches) {
    signal.throwIfAborted();
    const batch = toOnline(columns, view);
    const found = await online.read(view, keyRows(batch), features);
    const before = total.examples.length;
    compareRows(view, promotion, batch, found, total);
    if (total.missingRows.length === 0) continue;
    // A newer row may have been removed since, which readers do not see: what is left of it refuses this one.
    await confirm();
    const { older } = await online.write(view, promotion, pick(batch, total.missingRows));
    total.missing -= older;
    total.newer += older;
    if (older === total.missingRows.length) total.examples.length = before;
  }
  const { equal, newer, missing, different } = total;
  const counts: CheckCounts = { compared: equal + newer + missing + different, newer, missing, different };
  const counter = metricMeter.createCounter(
    'granary_online_checked_rows',
    'rows',
    'Rows that were read back after a load',
  );
  for (const [outcome, n] of Object.entries({ equal, newer, missing, different }))
    if (n > 0) counter.add(n, { view: view.name, outcome });
  if (missing + different === 0) return counts;
  await confirm();
  const examples = total.examples.slice(0, 3).map(differenceText);
  throw new GranaryError(
    'OnlineMismatch',
    `${name}: of ${counts.compared} entities that were read back from ${online.description} after the load ${missing + different} ${missing + different === 1 ? 'is' : 'are'} not what was loaded. ${examples.join('; ')}. Look for another writer of these keys, then load anew; nothing was recorded as loaded.`,
    { details: { ...counts } },
  );
}

/** Some rows of a batch. */
function pick(batch: OnlineBatch, rows: readonly number[]): OnlineBatch {
  const of = <T>(column: readonly T[]): T[] => rows.map((row) => column[row] as T);
  return {
    rows: rows.length,
    keys: batch.keys.map(of),
    values: batch.values.map(of),
    eventTimes: of(batch.eventTimes),
    createdTimes: of(batch.createdTimes),
    generations: of(batch.generations),
  };
}
