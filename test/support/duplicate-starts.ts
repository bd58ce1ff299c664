import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ScheduleHandle, WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import type { RunResult } from '../../client/index.js';
import { defineProject, pipeline, Timestamp, type BuildContext } from '../../definitions/index.js';
import { shop, totalsOf } from '../fixtures/shop.js';
import { query } from './duckdb.js';
import type { World } from './world.js';

const DAY_MS = 86_400_000;
const FIRST = Date.parse('2025-01-01T00:00:00Z');
/** Intervals under way at a time. */
const WINDOW = 3;

/**
 * Starts each of some days three times at one moment: by a Temporal schedule, by hand, and by another pipeline with the same
 * targets. The work must be done once; the others must wait, name the owner in their details, and end with its result.
 */
export async function duplicateStarts(world: World, days: number): Promise<void> {
  const name = `s${randomBytes(5).toString('hex')}`;
  const builds: string[] = [];
  const gates = new Map<string, { readonly opened: Promise<void>; readonly open: () => void }>();
  const totals = totalsOf({
    build: async function* ({ interval }: BuildContext) {
      builds.push(interval.start);
      await gates.get(interval.start)?.opened;
      yield { user_id: 1n, event_timestamp: Timestamp.from(interval.end), total: builds.length, n: 1n };
    },
  });
  const made = await shop(name, join(world.folder, name), { totals });
  const schedule = { cron: '0 0 * * *' };
  const twin = (of: string) => pipeline(of, { targets: [made.view], schedule, startDate: '2025-01-01' });
  const project = defineProject({
    ...made.project,
    resources: [twin('daily'), twin('daily_too')],
  });
  const taskQueue = `granary-${name}-dev`;

  /** A schedule of the day's own: of backfills that are asked of one schedule at the same time, some are lost. */
  const scheduleOf = (date: string): Promise<ScheduleHandle> =>
    world.temporal.schedule.create({
      scheduleId: `${name}/${date}`,
      spec: { cronExpressions: [schedule.cron] },
      state: { paused: true },
      action: {
        type: 'startWorkflow',
        workflowType: 'pipeline',
        taskQueue,
        workflowId: `${name}/scheduled`,
        args: [{ pipeline: 'daily' }],
      },
    });

  const startThrice = async (
    start: number,
    scheduled: ScheduleHandle,
  ): Promise<readonly WorkflowHandle[]> => {
    const tick = new Date(start + DAY_MS);
    const date = new Date(start).toISOString().slice(0, 10);
    const byHand = (of: string): Promise<WorkflowHandle> =>
      world.temporal.workflow.start('pipeline', {
        taskQueue,
        workflowId: `${name}/${of}/${date}`,
        args: [{ pipeline: of, date }],
      });
    const [one, two] = await Promise.all([
      byHand('daily'),
      byHand('daily_too'),
      scheduled.backfill({ start: tick, end: tick, overlap: 'ALLOW_ALL' }),
    ]);
    const third = `${name}/scheduled-${tick.toISOString().replace('.000', '')}`;
    return [one, two, world.temporal.workflow.getHandle(third)];
  };

  const day = async (index: number): Promise<void> => {
    const at = FIRST + index * DAY_MS;
    const start = new Date(at).toISOString().replace('.000', '');
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    gates.set(start, { opened, open });
    const scheduled = await scheduleOf(start);
    const handles = await startThrice(at, scheduled);
    const details = (handle: WorkflowHandle): Promise<string> =>
      handle.query('__temporal_workflow_metadata').then(
        (metadata) => JSON.stringify(metadata),
        () => '',
      );
    // Both that came too late say whom they wait for: one of the three.
    await expect
      .poll(
        async () =>
          (await Promise.all(handles.map(details))).filter((text) =>
            handles.some(({ workflowId }) => text.includes(`wait for ${workflowId}: it owns`)),
          ).length,
        { timeout: 60_000 },
      )
      .toBe(2);
    open();
    const results = await Promise.all(handles.map((handle) => handle.result() as Promise<RunResult>));
    await scheduled.delete();
    const builds = results.flatMap((result) => result.steps.filter(({ step }) => step.startsWith('source/')));
    expect(builds.map(({ outcome }) => outcome).sort()).toEqual(['current', 'current', 'made']);
    expect(new Set(builds.map(({ dataset, version }) => `${dataset ?? ''} ${version ?? ''}`)).size).toBe(1);
  };

  await world.withWorker(project, async () => {
    let next = 0;
    await Promise.all(
      Array.from({ length: WINDOW }, async () => {
        while (next < days) await day(next++);
      }),
    );
  });
  expect(builds).toHaveLength(days);
  expect(new Set(builds).size).toBe(days);
  expect(await query(`SELECT count(*) AS n FROM glob('${made.lake}/totals/v_*/features.parquet')`)).toEqual([
    { n: BigInt(days) },
  ]);
  expect(await world.registry(project, 'SELECT count(*)::int AS n FROM {schema}.refusals')).toEqual([
    { n: 0 },
  ]);
}
