import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CRASH_POINTS } from '../../activities/crash-points.js';
import type { Armed } from '../support/worker-process.js';
import { disturbedRun, killedAt, undisturbedRun } from '../support/disturbed-run.js';
import { createWorld, type World } from '../support/world.js';

/**
 * A worker process is killed in each kind of step; another finishes the run by itself. What is left must equal what an undisturbed run
 * leaves: files, registry, online hashes to the byte. (test/soak/kill.test.ts does so at every crash point.)
 */
let world: World;
let undisturbed: object;
let passed: ReadonlySet<string>;
beforeAll(async () => {
  world = await createWorld();
  ({ left: undisturbed, passed } = await undisturbedRun(world));
});
afterAll(() => world[Symbol.asyncDispose]());

const POINTS: readonly Armed['point'][] = [
  'build.after-stage',
  'facts.after-note',
  'store.after-commit',
  'store.mid-latest:3',
  'training-set.before-stage',
];

it('a run passes every crash point: none is forgotten by the kill tests', () => {
  // Those of works by hand are passed in tests of their own: <work>-kill.test.ts.
  const byHand = /^(rollback|remove|refresh|apply|promote|feast|backfill)\./;
  expect(CRASH_POINTS.filter((point) => !byHand.test(point) && !passed.has(point))).toEqual([]);
  expect([...passed].filter((line) => !(CRASH_POINTS as readonly string[]).includes(line))).toEqual([]);
});

describe.concurrent('a worker killed at', () => {
  it.each(POINTS)(
    '%s: the run completes by itself and leaves what an undisturbed one leaves',
    async (point) => {
      const { left } = await disturbedRun(world, killedAt(point));
      expect(left).toEqual(undisturbed);
    },
    180_000,
  );

  it('load.after-group, mid-shard: the load resumes at its checkpoint', async ({ expect }) => {
    const reached = async (workflowId: string): Promise<void> => {
      // The checkpoint must have reached the server: what a killed process had not sent yet is done again, and that is no resume.
      await expect.poll(() => checkpointedRow(workflowId), { timeout: 30_000 }).toBeGreaterThan(0);
    };
    const { left, first } = await disturbedRun(world, killedAt('load.after-group', reached));
    expect(left).toEqual(undisturbed);
    const loads = first.steps.flatMap((step) => (step.loaded ? [{ rows: step.rows, ...step.loaded }] : []));
    expect(loads.map((load) => load.resumed).sort()).toEqual([0, 1]);
    for (const load of loads) expect(load.written + load.unchanged + load.older).toBe(load.rows);
  }, 180_000);
});

/** The row of the furthest load checkpoint that Temporal has of a workflow. */
async function checkpointedRow(workflowId: string): Promise<number> {
  const { raw } = await world.temporal.workflow.getHandle(workflowId).describe();
  const details = (raw.pendingActivities ?? []).flatMap(
    (activity) => activity.heartbeatDetails?.payloads ?? [],
  );
  const rows = details.map(
    ({ data }) => (JSON.parse(Buffer.from(data ?? []).toString() || '{}') as { row?: number }).row ?? 0,
  );
  return Math.max(0, ...rows);
}
