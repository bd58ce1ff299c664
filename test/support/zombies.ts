import { asleepAt, type Rig } from './disturbed-run.js';
import type { FaultCase } from './fault-suite.js';
import { until } from './until.js';
import type { Armed } from './worker-process.js';

/**
 * Where a worker process sleeps (SIGSTOP) past its time-outs while another worker finishes that day and the next, and
 * what it is refused when it wakes up: it may commit nothing and overwrite nothing, and what it was refused is counted.
 */
const ZOMBIES = {
  'build.before-stage': /^source\/(airport_features|departure_counts)/,
  'transform.before-stage': /^source\//,
  'training-set.before-stage': /^trainingSet\//,
  'store.before-commit': /^source\//,
  'stage.before-stage': /^view\//,
  'load.after-group': /^view\/route/,
  'load.before-record': /^view\//,
  // It has committed before it sleeps. What it does then anyone may do again, and a newer version is not undone.
  'store.mid-publish': undefined,
  'store.mid-latest:2': undefined,
  'store.mid-latest:3': undefined,
} as const satisfies Partial<Record<Armed['point'], RegExp | undefined>>;

export const zombies = (
  points: readonly (keyof typeof ZOMBIES)[] = Object.keys(ZOMBIES) as (keyof typeof ZOMBIES)[],
): FaultCase[] =>
  points.map((point) => ({
    title: `at ${point}: it commits nothing and overwrites nothing when it wakes up`,
    disturbance: (world) => {
      const refused = ZOMBIES[point];
      const refusals = (rig: Rig): Promise<Record<string, unknown>[]> =>
        world.registry(rig.project, 'SELECT DISTINCT target, reason FROM {schema}.refusals');
      return asleepAt(point, async (rig) => {
        if (!refused) return;
        // It may be refused more: tasks that the server handed to it while it slept begin when it wakes up.
        await until(
          `the refusal of ${point}`,
          async () =>
            (await refusals(rig)).some(
              ({ target, reason }) => refused.test(String(target)) && reason === 'OwnershipLost',
            ),
          { timeoutMs: 60_000 },
        );
      });
    },
  }));
