import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { begun, ticking } from '../fixtures/ticking.js';
import { atTick } from '../support/ticks.js';
import { until } from '../support/until.js';
import { createWorld, type World } from '../support/world.js';

/** A workflow run that makes several intervals, and its parts. */
let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

it('a workflow run of several parts names them to whoever asks for it, and none of them ends the others', async () => {
  const folder = join(world.folder, world.name);
  await mkdir(folder, { recursive: true });
  const project = ticking(world.name, folder);
  await world.withWorker(project, async (client) => {
    await writeFile(join(folder, 'hold-2026-01-02'), '');
    const handle = await world.temporal.workflow.start('backfill', {
      taskQueue: `granary-${project.name}-dev`,
      workflowId: randomUUID(),
      args: [{ to: '2026-01-04', concurrency: 1 }],
    });
    const id = handle.firstExecutionRunId;
    expect(await client.status(randomUUID())).toBeUndefined();
    await until('the second build has begun', async () => (await begun(folder)).length === 2, {
      timeoutMs: 30_000,
    });
    const named = new RegExp(
      `^The run ${id} makes several intervals, .*: ${id}.0 \\(ticks_daily, 2026-01-01, COMPLETED\\), ${id}.1 \\(ticks_daily, 2026-01-02, RUNNING\\)\\. Give one of these ids`,
    );
    await expect(client.status(id)).rejects.toThrow(named);
    await expect(client.runs.get(id)).rejects.toThrow(named);
    await expect(client.runs.get(handle.workflowId)).rejects.toThrow(/makes several intervals/);
    expect(await client.status(`${id}.0`)).toMatchObject({ status: 'COMPLETED' });
    expect(await client.runs.get(`${id}.1`)).toMatchObject({ status: 'RUNNING' });
    const [backfill] = await client.backfills.list();
    await expect(client.runs.cancel(`${id}.1`)).rejects.toThrow(
      new RegExp(
        `belongs to the backfill ${backfill?.name ?? ''}, .*granary backfill cancel ${backfill?.name ?? ''}$`,
      ),
    );
    await client.backfills.cancel(backfill?.name ?? '');
    await expect(handle.result()).rejects.toThrow();
    expect(await client.backfills.status(backfill?.name ?? '')).toMatchObject({
      status: 'CANCELLED',
      intervals: { completed: 1, cancelled: 1, waiting: 1 },
    });
  });
});

it('a part of a scheduled run is not cancelled by itself: the whole is named, and ends with what it has not made', async () => {
  const name = `${world.name}c`;
  const folder = join(world.folder, name);
  await mkdir(folder, { recursive: true });
  const project = ticking(name, folder, { lookback: 2 });
  await world.withWorker(project, async (client) => {
    await writeFile(join(folder, 'hold-2026-01-02'), '');
    const input = [{ pipeline: 'ticks_daily' }];
    const handle = await atTick(world, `granary-${name}-dev`, 'pipeline', input, '2026-01-04T00:00:00Z');
    await until('the second build has begun', async () => (await begun(folder)).length === 2, {
      timeoutMs: 30_000,
    });
    const { runId } = await handle.describe();
    for (const part of [`${runId}.1`, 'last'])
      await expect(client.runs.cancel(part)).rejects.toThrow(
        new RegExp(
          `^The run ${runId}.1 is one interval of a run that makes several, .*${runId}.0 \\(ticks_daily, 2026-01-01, COMPLETED\\), ${runId}.1 .*: granary runs cancel ${runId}$`,
        ),
      );
    await expect(client.runs.cancel(`${runId}.0`)).rejects.toThrow(/has ended COMPLETED/);
    expect(await client.runs.get(`${runId}.1`)).toMatchObject({ status: 'RUNNING' });
    expect(await client.runs.cancel(runId)).toEqual({
      run: runId,
      workflowId: handle.workflowId,
      several: true,
    });
    await expect(handle.result()).rejects.toThrow();
    expect((await client.runs.list()).map(({ run, status }) => [run, status])).toEqual([
      [`${runId}.1`, 'CANCELLED'],
      [`${runId}.0`, 'COMPLETED'],
    ]);
    await expect(client.runs.cancel(runId)).rejects.toThrow(/has ended CANCELLED/);
  });
});
