import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { GranaryClient, RunResult } from '../../client/index.js';
import { triggerRun } from '../../client/schedule-trigger.js';
import { Workflows } from '../../client/workflows.js';
import type { PipelineOptions } from '../../definitions/index.js';
import { Timestamp } from '../../definitions/index.js';
import { scheduledShop, type ScheduledOptions } from '../fixtures/scheduled.js';
import { writeSales, type Shop } from '../fixtures/shop.js';
import type { World } from './world.js';

/** Schedules of a test's own, over a shop, with a worker beside. */
export interface Scheduled {
  readonly name: string;
  readonly folder: string;
  readonly shop: Shop;
  readonly client: GranaryClient;
  /** Has a schedule (default: `daily`) fire for a tick, and resolves to the run's result. */
  fire(tick: string, pipeline?: string): Promise<RunResult>;
  /** What the registry has of runs: `2026-01-01T00:00:00Z COMPLETED`, by interval. */
  runs(): Promise<string[]>;
}

/** Applies schedules, paused: each fires at the times that the test says. They are deleted in the end. */
export async function withSchedules(
  world: World,
  pipelines: Readonly<Record<string, Partial<PipelineOptions>>>,
  work: (scheduled: Scheduled) => Promise<void>,
  optionsIn: (folder: string) => ScheduledOptions & { readonly rows?: string } = () => ({}),
): Promise<void> {
  const name = `r${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const { rows, ...options } = optionsIn(folder);
  await writeSales(folder, rows);
  const shop = scheduledShop(name, folder, pipelines, options);
  const workflows = await Workflows.connect({ project: name, environment: 'dev' });
  try {
    await world.withWorker(shop.project, async (client) => {
      await client.schedules.apply();
      // No tick of the wall clock's is to come between.
      for (const pipeline of Object.keys(pipelines)) await client.schedules.pause(pipeline);
      try {
        await work({
          ...{ name, folder, shop, client },
          fire: async (tick, pipeline = 'daily') => {
            const { workflowId, runId } = await triggerRun(workflows, {
              id: `${name}_dev/${pipeline}`,
              workflowId: `pipeline/${name}_dev/${pipeline}-${tick}`,
              interval: { start: tick, end: tick },
            });
            return (await world.temporal.workflow.getHandle(workflowId, runId).result()) as RunResult;
          },
          runs: async () =>
            (
              await world.registry(
                { name },
                `SELECT interval_start AS at, status FROM {schema}.runs ORDER BY interval_start, started_at`,
              )
            ).map(({ at, status }) => `${Timestamp.from(at as Date).toString()} ${String(status)}`),
        });
      } finally {
        for (const pipeline of Object.keys(pipelines)) await client.schedules.delete(pipeline);
      }
    });
  } finally {
    await workflows.close();
  }
}
