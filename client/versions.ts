import type { Interval } from '../definitions/interval.js';
import { findFeatureSet } from '../definitions/target.js';
import type { RollbackEntry } from '../registry/audit.js';
import type { Registry } from '../registry/registry.js';

/** One version of a feature set's newest interval. */
export interface FeatureSetVersion {
  /** Name of its folder. */
  readonly version: string;
  readonly interval: Interval;
  readonly generation: number;
  /** ISO-8601. */
  readonly committedAt: string;
  readonly rows: number;
  /** Temporal's id of the run that made it, and its workflow's where the registry knows the run. */
  readonly run: string;
  readonly workflowId: string | undefined;
  /** Whether it is what readers see. */
  readonly current: boolean;
  /** Of a version that a rollback made: whose bytes it has, what it took the place of, by whom and why. */
  readonly rollback?: RollbackEntry;
}

/** The versions of the newest interval, newest generation first; none when it was never built. */
export async function listVersions(registry: Registry, name: string): Promise<FeatureSetVersion[]> {
  // Whoever asks may be newer than the worker that ran last.
  await registry.migrate();
  const { id } = findFeatureSet(await registry.resources.all(), name, 'rollback');
  const newest = await registry.datasets.newest(id);
  if (!newest) return [];
  const rollbacks = new Map((await registry.audit.rollbacks(id)).map((entry) => [entry.version, entry]));
  const generations = await registry.datasets.generations(id, newest.interval);
  return await Promise.all(
    generations.map(async (dataset, i): Promise<FeatureSetVersion> => {
      const { version, interval, generation, committedAt, rows, run } = dataset;
      const entry = rollbacks.get(version);
      const workflowId = (await registry.runs.get(run))?.workflowId;
      return {
        ...{ version, interval, generation, committedAt, rows, run, workflowId },
        current: i === 0,
        ...(entry === undefined ? {} : { rollback: entry }),
      };
    }),
  );
}
