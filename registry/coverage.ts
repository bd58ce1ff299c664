import type { Resource } from '../definitions/contract.js';
import type { Interval } from '../definitions/interval.js';
import { plan } from '../definitions/plan.js';
import type { Registry } from './registry.js';

export interface IntervalCoverage {
  readonly interval: Interval;
  readonly state: 'valid' | 'missing' | 'failed' | 'stale' | 'running';
  readonly reasons: readonly string[];
  readonly run?: string;
}

/** PLACEHOLDER of this branch until the real one is merged. */
export async function coverage(
  registry: Registry,
  definitions: { readonly resources: ReadonlyMap<string, Resource> },
  { targets, intervals }: { readonly targets: readonly string[]; readonly intervals: readonly Interval[] },
): Promise<readonly IntervalCoverage[]> {
  const { steps } = plan(definitions.resources, targets, { start: '', end: '' });
  const ledgers = await Promise.all(
    steps.map(async ({ id }) => ({
      id,
      entries: new Map(
        (await registry.ledger.of(id)).map((e) => [`${e.interval.start}${e.interval.end}`, e]),
      ),
    })),
  );
  return intervals.map((interval) => {
    const entries = ledgers.map(({ id, entries }) => ({
      id,
      e: entries.get(`${interval.start}${interval.end}`),
    }));
    if (entries.some(({ e }) => !e)) return { interval, state: 'missing', reasons: [] };
    if (entries.some(({ id, e }) => e?.fingerprint !== definitions.resources.get(id)?.fingerprint))
      return { interval, state: 'stale', reasons: [] };
    return { interval, state: 'valid', reasons: [] };
  });
}
