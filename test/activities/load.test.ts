import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities, type GranaryActivities } from '../../activities/index.js';
import type { ResolvedRun, StagedLoad, StagedRows, StepRequest } from '../../activities/messages.js';
import { createRuntime, type OwnedRuntime } from '../../worker/runtime.js';
import { shop } from '../fixtures/shop.js';
import { createWorld, type World } from '../support/world.js';

/** The load's own protection, activity by activity: one shard of 5,000 entities, a checkpoint every 1,000. */
const ROWS = 5000;
let world: World;
let owned: OwnedRuntime;
let activities: GranaryActivities;
let request: StepRequest;
let load: StagedLoad;
let feast: string;

const as = (heartbeatDetails?: unknown): MockActivityEnvironment =>
  new MockActivityEnvironment({
    workflowExecution: { workflowId: 'load-test', runId: `load-${feast}` },
    heartbeatDetails,
  });

beforeAll(async () => {
  world = await createWorld();
  const name = `l${randomBytes(5).toString('hex')}`;
  feast = `${name}_dev`;
  const { project } = await shop(name, join(world.folder, name), {
    rows: `SELECT range::BIGINT AS user_id, TIMESTAMP '2026-01-01' AS sold_at, 1.0::DOUBLE AS amount FROM range(${ROWS})`,
  });
  owned = await createRuntime({ project, load: { rowsPerGroup: 1000 } });
  activities = createActivities(owned.runtime);
  const run: ResolvedRun = await as().run(() =>
    activities.resolveRun({
      type: 'pipeline',
      date: '2026-01-01',
      now: '2026-01-05T00:00:00Z',
    }),
  );
  const common = { run: run.run, retries: run.retries, interval: run.plan.interval, rebuild: false };
  for (const step of run.plan.steps.filter((s) => s.kind !== 'trainingSet')) {
    request = { ...common, step };
    expect(await as().run(() => activities.claimStep(request))).toEqual({ state: 'owned' });
    if (step.kind === 'materialize') load = await as().run(() => activities.stageOnline(request));
    else {
      const staged: StagedRows = await as().run(() => activities.buildRows(request));
      await as().run(() => activities.storeVersion({ ...request, staged }));
    }
    if (step.kind === 'materialize') break;
  }
});
afterAll(async () => {
  await owned.close();
  await world.pg.query(`DROP SCHEMA "granary_${feast.replace(/_dev$/, '')}_dev" CASCADE`);
  await world[Symbol.asyncDispose]();
});

const shard = (checkpoint?: unknown) =>
  as(checkpoint).run(() => activities.loadShard({ ...request, load, shard: 0 }));
const checkpoint = (over: object = {}) => ({
  v: 1,
  storeId: load.storeId,
  sha256: load.shards[0]?.sha256,
  shard: 0,
  row: 3000,
  written: 3000,
  older: 0,
  unchanged: 0,
  ...over,
});

describe('a load', () => {
  it('loads every row, and again changes nothing', async () => {
    expect(await shard()).toMatchObject({ written: ROWS, unchanged: 0, older: 0, resumedAt: 0 });
    expect(await shard()).toMatchObject({ written: 0, unchanged: ROWS, older: 0, resumedAt: 0 });
  });

  it('resumes after its last checkpoint, counts and all', async () => {
    expect(await shard(checkpoint())).toMatchObject({ resumedAt: 3000, written: 3000, unchanged: 2000 });
  });

  it.each([
    ['other bytes', { sha256: '0'.repeat(64) }],
    ['another shard', { shard: 1 }],
    ['another store', { storeId: 'gone' }],
    ['another version of Granary', { v: 2 }],
  ])('begins anew when the checkpoint is of %s', async (_, over) => {
    expect(await shard(checkpoint(over))).toMatchObject({ resumedAt: 0, unchanged: ROWS });
  });

  it('heartbeats each group with what a successor needs', async () => {
    const environment = as();
    const kept: unknown[] = [];
    environment.on('heartbeat', (details: unknown) => kept.push(details));
    await environment.run(() => activities.loadShard({ ...request, load, shard: 0 }));
    expect(kept.filter((details) => details !== undefined)).toContainEqual(
      expect.objectContaining({
        v: 1,
        step: request.step.id,
        storeId: load.storeId,
        sha256: load.shards[0]?.sha256,
        shard: 0,
      }),
    );
  });

  it('refuses a shard whose bytes were changed', async () => {
    const damaged = { ...load, shards: load.shards.map((s) => ({ ...s, sha256: '0'.repeat(64) })) };
    await expect(
      as().run(() => activities.loadShard({ ...request, load: damaged, shard: 0 })),
    ).rejects.toMatchObject({ type: 'ChecksumMismatch', nonRetryable: true });
  });

  it('ends with StoreReplaced when the store was emptied, for the workflow to stage anew; so does the record', async () => {
    await world.redis.del(`__granary:store:${feast}`);
    await expect(shard()).rejects.toMatchObject({ type: 'StoreReplaced', nonRetryable: true });
    await expect(
      as().run(() => activities.recordLoad({ ...request, load, counts: [] })),
    ).rejects.toMatchObject({
      type: 'StoreReplaced',
      nonRetryable: true,
    });
  });
});
