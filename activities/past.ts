import type { PipelineSpec } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import type { Plan } from '../definitions/plan.js';
import { completeInterval } from '../definitions/ticks.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { Runtime } from './runtime.js';

/**
 * Holds a pipeline with `dependsOnPast` to it: an interval that was not made yet is made only when the one before it is valid. The first one has none.
 * @throws GranaryError `PastMissing`.
 */
export async function requirePast(
  { registry }: Pick<Runtime, 'registry'>,
  pipeline: PipelineSpec,
  { interval, steps }: Plan,
): Promise<void> {
  const before = completeInterval(pipeline.schedule, pipeline, Timestamp.from(interval.start));
  if (!pipeline.dependsOnPast || !before) return;
  const ids = steps.map(({ id }) => id);
  const valid = await registry.ledger.complete(ids, [before, interval]);
  if (valid.length > 0) return;
  const lacking = await registry.ledger.lacking(ids, before, await registry.runs.clock());
  throw new GranaryError(
    'PastMissing',
    `${pipeline.name} ${intervalName(interval)} was not begun: the pipeline depends on its past, and of the interval before, ${intervalName(before)}, ${lacking.join(', ')} ${lacking.length === 1 ? 'is' : 'are'} not valid. Make it first: granary backfill ${pipeline.name} --from ${before.start} --to ${before.end}. If the past is not wanted, set startDate to ${interval.start}.`,
    { details: { pipeline: pipeline.name, interval, before, lacking } },
  );
}
