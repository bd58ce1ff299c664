import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GranaryClient } from '../../client/index.js';
import type { BackfillRequest, Project } from '../../definitions/index.js';
import { begun, ticking } from '../fixtures/ticking.js';
import { until } from '../support/until.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A project of the test's own with a worker beside it. */
async function withTicks(
  title: string,
  { slots = 1, ...options }: Parameters<typeof ticking>[2] & { readonly slots?: number },
  work: (client: GranaryClient, folder: string, project: Project) => Promise<void>,
): Promise<void> {
  const name = `${world.name}${title}`;
  const folder = join(world.folder, name);
  await mkdir(folder, { recursive: true });
  const project = ticking(name, folder, options);
  await world.withWorker(project, (client) => work(client, folder, project), {
    budget: { heavySlots: slots, memoryMiB: 256 * slots, threads: 1 },
    scratch: join(folder, 'scratch'),
  });
}

const touch = (folder: string, name: string): Promise<void> => writeFile(join(folder, name), '');
const JANUARY: BackfillRequest = { pipeline: 'ticks_daily', from: '2026-01-01', to: '2026-01-07' };
const wait = (what: string, holds: () => Promise<boolean>): Promise<void> =>
  until(what, holds, { timeoutMs: 30_000 });

describe.concurrent('a backfill', { timeout: 180_000 }, () => {
  it('makes every interval of its span that was never made, and finds none the next time', async () => {
    await withTicks('a', {}, async (client, folder, project) => {
      const before = await client.backfills.plan(JANUARY);
      expect(before.ranges.map(({ state, span, intervals }) => ({ state, span, intervals }))).toEqual([
        {
          state: 'missing',
          intervals: 6,
          span: { start: '2026-01-01T00:00:00Z', end: '2026-01-07T00:00:00Z' },
        },
      ]);
      expect(before.estimate).toEqual({ runs: 0 });
      const handle = await client.backfill(JANUARY);
      expect(handle.workflowId).toBe(`backfill/${project.name}_dev/ticks_daily/${handle.name}`);
      expect(handle.name).toMatch(/^[a-z]+_[a-z]+$/);
      expect(await handle.result()).toMatchObject({
        status: 'COMPLETED',
        intervals: { completed: 6, failed: 0, waiting: 0, running: 0, cancelled: 0 },
        failures: [],
        left: [],
      });
      expect((await begun(folder)).sort()).toEqual(
        Array.from({ length: 6 }, (_, i) => `2026-01-${String(i + 1).padStart(2, '0')}`),
      );
      const { priority } = (await world.temporal.workflow.getHandle(handle.workflowId).describe()) as {
        priority?: { priorityKey?: number };
      };
      expect(priority?.priorityKey).toBe(4);
      const after = await client.backfills.plan(JANUARY);
      expect(after.plan).toMatchObject({ found: { valid: 6 }, selected: 0 });
      expect((await client.backfills.plan({ ...JANUARY, reprocess: 'all' })).estimate.runs).toBe(6);
      const again = await (await client.backfill(JANUARY)).result();
      expect(again).toMatchObject({ status: 'COMPLETED', intervals: { completed: 0 } });
      // Names are of their own, also of those that are asked for at one moment.
      const both = await Promise.all(
        ['ticks', 'source/ticks'].map((target) =>
          client.backfill({ targets: [target], reprocess: 'all', from: '2026-01-01', to: '2026-01-03' }),
        ),
      );
      for (const each of both)
        expect(await each.result()).toMatchObject({ status: 'COMPLETED', intervals: { completed: 2 } });
      expect(new Set((await client.backfills.list()).map(({ name }) => name)).size).toBe(4);
    });
  });

  it('makes the rest when intervals fail, tells the causes, and makes those alone once they are mended', async () => {
    await withTicks('b', {}, async (client, folder) => {
      for (const day of ['03', '05']) await touch(folder, `fail-2026-01-${day}`);
      const handle = await client.backfill({ ...JANUARY, order: 'newest' });
      const failure = await world.temporal.workflow
        .result(handle.workflowId)
        .catch((error: unknown) => error);
      const cause = failure instanceof WorkflowFailedError ? failure.cause : undefined;
      expect(cause).toBeInstanceOf(ApplicationFailure);
      expect((cause as ApplicationFailure).type).toBe('IntervalsFailed');
      expect(cause?.message).toMatch(
        /2 of the 6 intervals of ticks_daily failed, 4 were made\.\n2026-01-05: source\/ticks\S*: .*the feed of 2026-01-05 is broken.*\n2026-01-03: /,
      );
      const state = await handle.status();
      expect(state).toMatchObject({ status: 'FAILED', intervals: { completed: 4, failed: 2 }, left: [] });
      expect(state.failures.map(({ interval }) => interval.start.slice(0, 10))).toEqual([
        '2026-01-05',
        '2026-01-03',
      ]);
      const { plan } = await client.backfills.plan(JANUARY);
      expect(plan).toMatchObject({ found: { valid: 4, failed: 2 }, selected: 0 });
      for (const day of ['03', '05']) await rm(join(folder, `fail-2026-01-${day}`));
      const mended = await client.backfill({ ...JANUARY, reprocess: 'failed' });
      expect(await mended.result()).toMatchObject({ status: 'COMPLETED', intervals: { completed: 2 } });
    });
  });

  it('stops after maxFailures, and leaves the rest as a hole', async () => {
    await withTicks('c', {}, async (client, folder) => {
      for (const day of ['02', '04']) await touch(folder, `fail-2026-01-${day}`);
      const state = await (await client.backfill({ ...JANUARY, concurrency: 1, maxFailures: 2 })).result();
      expect(state).toMatchObject({
        status: 'FAILED',
        error: 'It stopped after 2 failed intervals.',
        intervals: { completed: 2, failed: 2, waiting: 2 },
      });
      expect(state.left.map(({ start }) => start.slice(0, 10))).toEqual(
        ['05', '06'].map((day) => `2026-01-${day}`),
      );
      // What failed last of all stopped nothing.
      await touch(folder, 'fail-2026-01-06');
      const last = await (
        await client.backfill({ ...JANUARY, from: '2026-01-05', concurrency: 1, maxFailures: 1 })
      ).result();
      expect(last).toMatchObject({ status: 'FAILED', intervals: { completed: 1, failed: 1, waiting: 0 } });
      expect(last.error).toBeUndefined();
    });
  });

  it('pauses and goes on: what is in flight ends, and no other interval begins meanwhile', async () => {
    await withTicks('d', {}, async (client, folder) => {
      await touch(folder, 'hold');
      const handle = await client.backfill({ ...JANUARY, concurrency: 1 });
      await wait('a build has begun', async () => (await begun(folder)).length === 1);
      await client.backfills.pause(handle.name);
      await wait('it is paused', async () => (await handle.status()).pausedBy !== undefined);
      await rm(join(folder, 'hold'));
      await wait(
        'the interval in flight has ended',
        async () => (await handle.status()).intervals.completed === 1,
      );
      const task = world.temporal.workflow.getHandle(handle.workflowId);
      const pending = async () => (await task.describe()).raw.pendingActivities?.length ?? 0;
      await wait('nothing is in flight', async () => (await pending()) === 0);
      expect(await begun(folder)).toEqual(['2026-01-01']);
      await client.backfills.resume(handle.name);
      expect(await handle.result()).toMatchObject({
        status: 'COMPLETED',
        pausedBy: undefined,
        intervals: { completed: 6 },
      });
      await expect(client.backfills.pause(handle.name)).rejects.toThrow(/has ended \(COMPLETED\)/);
    });
  });

  it('is cancelled cleanly: what was made stays, nothing is half-visible, and the rest stays a hole', async () => {
    await withTicks('e', {}, async (client, folder, project) => {
      await touch(folder, 'hold-2026-01-03');
      const handle = await client.backfill({ ...JANUARY, concurrency: 1 });
      await wait('the third build has begun', async () => (await begun(folder)).length === 3);
      await client.backfills.cancel(handle.name);
      const state = await handle.result();
      expect(state).toMatchObject({
        status: 'CANCELLED',
        intervals: { completed: 2, cancelled: 1, waiting: 3 },
      });
      expect(
        await world.registry(project, 'SELECT run_id FROM {schema}.runs WHERE ended_at IS NULL'),
      ).toEqual([]);
      expect(
        await world.registry(project, 'SELECT id FROM {schema}.datasets WHERE published_at IS NULL'),
      ).toEqual([]);
      const { ranges } = await client.backfills.plan(JANUARY);
      expect(ranges.map((range) => [range.state, range.intervals])).toEqual([
        ['valid', 2],
        ['missing', 4],
      ]);
    });
  });

  it('of a pipeline that depends on its past makes the oldest first, one at a time, and ends with the first failure', async () => {
    await withTicks('f', { dependsOnPast: true }, async (client, folder) => {
      await touch(folder, 'fail-2026-01-04');
      const state = await (await client.backfill({ ...JANUARY, order: 'newest', concurrency: 8 })).result();
      expect(state.plan).toMatchObject({ concurrency: 1, order: 'oldest', maxFailures: 1 });
      expect(state.plan?.notes.join()).toContain('dependsOnPast');
      expect(state).toMatchObject({ status: 'FAILED', intervals: { completed: 3, failed: 1, waiting: 2 } });
      expect(await begun(folder)).toEqual(['01', '02', '03', '04'].map((day) => `2026-01-${day}`));
    });
  });

  it('makes what looks back on the days before once these are made, oldest first', async () => {
    await withTicks('h', { looking: true, slots: 4 }, async (client, folder, project) => {
      await touch(folder, 'hold-2026-01-01');
      const handle = await client.backfill({ ...JANUARY, to: '2026-01-05', order: 'newest' });
      const task = world.temporal.workflow.getHandle(handle.workflowId);
      await wait('the other days are made as far as they can be', async () => {
        const ticks = await world.registry(
          project,
          `SELECT id FROM {schema}.datasets WHERE target LIKE 'source/ticks%' AND published_at IS NOT NULL`,
        );
        return ticks.length === 3 && (await task.describe()).raw.pendingActivities?.length === 1;
      });
      await rm(join(folder, 'hold-2026-01-01'));
      const state = await handle.result();
      expect(state).toMatchObject({ status: 'COMPLETED', intervals: { completed: 4 } });
      expect(state.plan?.notes.join()).toMatch(
        /Made oldest first: source\/sums\S* reads the intervals before/,
      );
      for (const [day, days] of [
        ['2026-01-02', 2n],
        ['2026-01-04', 4n],
      ] as const)
        for await (const row of client.featureSet('sums', { date: day })) expect(row).toMatchObject({ days });
      expect((await client.backfills.plan(JANUARY)).plan.found).toEqual({ valid: 4, missing: 2 });
    });
  });

  it('gives way to the daily run, whose newer interval stays the latest', async () => {
    await withTicks('g', {}, async (client, folder) => {
      await touch(folder, 'hold');
      const handle = await client.backfill({ ...JANUARY, concurrency: 4 });
      await wait('a build holds the only slot', async () => (await begun(folder)).length === 1);
      const task = world.temporal.workflow.getHandle(handle.workflowId);
      await wait('others are in line', async () => {
        const pending = (await task.describe()).raw.pendingActivities ?? [];
        return pending.filter(({ activityType }) => activityType?.name === 'buildRows').length === 4;
      });
      const [daily, own] = await Promise.all([
        client.run('ticks_daily', { date: '2026-01-20' }),
        // One that the backfill makes as well: whoever is first, the other takes its result.
        client.run('ticks_daily', { date: '2026-01-02' }),
      ]);
      const run = world.temporal.workflow.getHandle(daily.workflowId);
      await wait('the daily run is in line', async () =>
        ((await run.describe()).raw.pendingActivities ?? []).some(
          ({ activityType, state }) => activityType?.name === 'buildRows' && state === 2,
        ),
      );
      await rm(join(folder, 'hold'));
      await Promise.all([daily.result(), own.result()]);
      expect((await begun(folder))[1]).toBe('2026-01-20');
      expect(await handle.result()).toMatchObject({ status: 'COMPLETED', intervals: { completed: 6 } });
      // Each once, and the newest is what readers find.
      expect((await begun(folder)).length).toBe(7);
      for await (const row of client.featureSet('ticks'))
        expect(String(Object.values(row))).toContain('20260120');
    });
  });
});

const WRONG: readonly (readonly [asked: object, message: RegExp])[] = [
  [{ concurrency: 101 }, /"concurrency" must be at most 100, not 101/],
  [{ concurrency: 0 }, /"concurrency" must be a whole number from 1, not 0/],
  [{ reprocess: 'new' }, /"reprocess" must be missing, failed, stale or all, not "new"/],
  [{ order: 'random' }, /"order" must be oldest or newest, not "random"/],
  [{ pipelin: 'x' }, /unknown field "pipelin"\. Did you mean "pipeline"/],
  [{ pipeline: 'tick_daily' }, /There is no pipeline "tick_daily"\. Did you mean "ticks_daily"\?/],
  [{ targets: ['feed'], pipeline: 'ticks_daily' }, /The pipeline ticks_daily does not make source\/feed/],
  [{ targets: ['feed'] }, /No pipeline makes feed/],
  [{ from: '2026-02-01', to: '2026-01-01' }, /goes from a time to a later one/],
  [{ name: 'taken_name' }, /The backfill "taken_name" was carried out already/],
];

it('a backfill from the UI of Temporal is named by itself, and a wrong one is refused in words that name the field', async () => {
  await withTicks('w', {}, async (client, _folder, project) => {
    const start = async (input: unknown): Promise<unknown> =>
      await world.temporal.workflow
        .execute('backfill', {
          taskQueue: `granary-${project.name}-dev`,
          workflowId: randomUUID(),
          args: [input],
        })
        .catch((error: unknown) => (error instanceof WorkflowFailedError ? error.cause?.message : error));
    expect(await start({ to: '2026-01-03' })).toMatchObject({ pipeline: 'ticks_daily', completed: 2 });
    expect((await client.backfills.list()).map(({ by }) => by)).toEqual(['Temporal UI']);
    await world.registry(
      project,
      `INSERT INTO {schema}.backfills (id, workflow_id, run_id, actor, request, status, ended_at)
       VALUES ('taken_name', 'w', 'r', 'x', '{}', 'COMPLETED', now())`,
    );
    for (const [input, message] of WRONG) expect(await start(input)).toMatch(message);
  });
});
