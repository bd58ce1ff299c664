import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tableFromArrays } from 'apache-arrow';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../client/index.js';
import type { BuildContext, Project } from '../../definitions/index.js';
import { Timestamp } from '../../definitions/index.js';
import { postgresOnline, shop, totalsOf } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { untilRunning } from '../support/running.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `r${randomBytes(5).toString('hex')}`;
const outcomes = (result: RunResult): string[] => result.steps.map((step) => step.outcome);
const row = (user: bigint, total: number, n: bigint, at: string) => ({
  user_id: user,
  event_timestamp: Timestamp.from(at),
  total,
  n,
});

/** A build that waits for a file, and what it wrote is one row. */
const gated = (gate: string) =>
  totalsOf({
    build: async function* ({ interval, signal }: BuildContext) {
      while (!existsSync(gate)) {
        signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      yield row(1n, 1, 1n, interval.end);
    },
  });

const start = (project: Project, workflowId: string, input: object) =>
  world.temporal.workflow.start('pipeline', {
    taskQueue: `granary-${project.name}-dev`,
    workflowId,
    args: [input],
  });

describe('runs of one interval at the same time', () => {
  it('do the work once: the others wait, name the owner in their details, and end with its result', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const { project, lake } = await shop(name, join(world.folder, name), { totals: gated(gate) });
    await world.withWorker(project, async () => {
      const handles = await Promise.all(
        Array.from({ length: 5 }, (_, i) => start(project, `${name}-${i}`, { date: '2026-01-02' })),
      );
      const details = async (i: number): Promise<string> =>
        JSON.stringify(await handles[i]?.query('__temporal_workflow_metadata'));
      await expect
        .poll(
          async () =>
            (await Promise.all(handles.map((_, i) => details(i)))).filter((text) =>
              /wait for r\w+-\d: it owns/.test(text),
            ).length,
          { timeout: 20_000 },
        )
        .toBe(4);
      await writeFile(gate, '');
      const results = (await Promise.all(handles.map((handle) => handle.result()))) as RunResult[];
      const made = results.map(
        (result) => result.steps.find((step) => step.step.startsWith('source/totals'))?.outcome,
      );
      expect(made.sort()).toEqual(['current', 'current', 'current', 'current', 'made']);
      const versions = await query(`SELECT count(*) AS n FROM glob('${lake}/totals/v_*/features.parquet')`);
      expect(versions).toEqual([{ n: 1n }]);
      expect(
        new Set(
          results.map(
            (result) => result.steps.find((step) => step.step.startsWith('source/totals'))?.dataset,
          ),
        ).size,
      ).toBe(1);
    });
  });
});

describe('a run that is cancelled', () => {
  it('stops its build, publishes nothing, is recorded as CANCELLED, and the interval can be run again', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const { project, lake } = await shop(name, join(world.folder, name), { totals: gated(gate) });
    await world.withWorker(project, async (client) => {
      const handle = await start(project, name, { date: '2026-01-02' });
      await untilRunning(handle, 'buildRows');
      await handle.cancel();
      await expect(handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) as unknown });
      expect((await client.status(handle.firstExecutionRunId))?.status).toBe('CANCELLED');
      expect(await query(`SELECT count(*) AS n FROM glob('${lake}/totals/**')`)).toEqual([{ n: 0n }]);
      await writeFile(gate, '');
      expect(outcomes(await (await client.run('shop_daily', { date: '2026-01-02' })).result())).toEqual(
        Array(4).fill('made'),
      );
    });
  });
});

describe('a worker that is shut down in the middle of a build', () => {
  it('ends, and another one finishes the run; no retry is used up', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const { project } = await shop(name, join(world.folder, name), {
      totals: gated(gate),
      retries: { max: 0, delay: '1s' },
    });
    const handle = await world.withWorker(project, async () => {
      const started = await start(project, name, { date: '2026-01-02' });
      await untilRunning(started, 'buildRows');
      return started;
    });
    await writeFile(gate, '');
    await world.withWorker(project, async () => {
      expect(outcomes((await handle.result()) as RunResult)).toEqual(Array(4).fill('made'));
    });
    expect(await world.registry(project, 'SELECT * FROM {schema}.step_errors')).toEqual([]);
  });
});

describe('a run that Temporal terminated', () => {
  it('is settled by the next run, which takes its interval over', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const { project } = await shop(name, join(world.folder, name), { totals: gated(gate) });
    await world.withWorker(project, async (client) => {
      const handle = await start(project, name, { date: '2026-01-02' });
      await untilRunning(handle, 'buildRows');
      const successor = await client.run('shop_daily', { date: '2026-01-02' });
      await handle.terminate();
      await writeFile(gate, '');
      expect(outcomes(await successor.result())).toEqual(Array(4).fill('made'));
      await (await client.run('shop_daily', { date: '2026-01-03' })).result();
      const runs = await world.registry(
        project,
        `SELECT status, count(*)::int AS n FROM {schema}.runs GROUP BY 1 ORDER BY 1`,
      );
      expect(runs).toEqual([
        { status: 'COMPLETED', n: 2 },
        { status: 'TERMINATED', n: 1 },
      ]);
    });
  });
});

describe('an online store that comes back empty', () => {
  it('is noticed: the view is loaded again from all current versions', async () => {
    const name = unique();
    // Each day has rows of its own user only, so that one version cannot stand for all.
    const { project, view } = await shop(name, join(world.folder, name), {
      totals: totalsOf({
        build: async function* ({ interval }: BuildContext) {
          yield row(BigInt(interval.start.slice(8, 10)), 1, 1n, interval.end);
        },
      }),
    });
    await world.withWorker(project, async (client) => {
      for (const date of ['2026-01-01', '2026-01-02'])
        await (await client.run('shop_daily', { date })).result();
      const keys = [...(await world.redis.keysBuffer(`*${name}_dev`))];
      expect(keys.length).toBeGreaterThan(2);
      await world.redis.del(...keys);
      // Also a day that the ledger calls valid: its rows are gone with the rest.
      const valid = await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      expect(valid.steps.find((step) => step.step.startsWith('view/'))).toMatchObject({
        outcome: 'made',
        loaded: { written: 2 },
      });
      const lost = [...(await world.redis.keysBuffer(`*${name}_dev`))];
      await world.redis.del(...lost);
      const result = await (await client.run('shop_daily', { date: '2026-01-03' })).result();
      expect(result.steps.find((step) => step.loaded)?.loaded).toMatchObject({ written: 3, older: 0 });
      const served = await client.features(view, [{ user_id: 1n }, { user_id: 2n }, { user_id: 3n }]);
      expect(served.map((r) => String(r.eventTime))).toEqual([
        '2026-01-02T00:00:00Z',
        '2026-01-03T00:00:00Z',
        '2026-01-04T00:00:00Z',
      ]);
      // And the days before are valid again, in this store.
      expect(outcomes(await (await client.run('shop_daily', { date: '2026-01-01' })).result())).toEqual(
        Array(4).fill('current'),
      );
    });
  });
});

describe('an old day that is loaded late', () => {
  it('changes nothing online, and a source that changed makes its days stale', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const { project, view } = await shop(name, folder);
    await world.withWorker(project, async (client) => {
      await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      const before = await world.online(`${name}_dev`);
      const late = await (await client.run('shop_daily', { date: '2026-01-01' })).result();
      expect(late.steps.find((step) => step.loaded)?.loaded).toMatchObject({ written: 0 });
      expect(await world.online(`${name}_dev`)).toEqual(before);
      // Late data: another file of the source. The same day is built again, and the correction lands online.
      await query(
        `COPY (SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-01 11:00:00' AS sold_at, 100.0::DOUBLE AS amount) TO '${folder}/raw/sales-late.parquet' (FORMAT parquet)`,
      );
      const again = await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      expect(outcomes(again)).toEqual(Array(4).fill('made'));
      const [corrected] = await client.features(view, [{ user_id: 1n }]);
      expect(corrected?.values).toEqual({ total: 130, n: 3n });
    });
  });
});

describe('a TypeScript build', () => {
  it('resumes at its checkpoint after an error: no row is lost or doubled; Arrow and rows mix', async () => {
    const name = unique();
    const seen: unknown[] = [];
    let failed = false;
    const { project, lake } = await shop(name, join(world.folder, name), {
      totals: totalsOf({
        build: async function* ({ inputs, interval, checkpoint }: BuildContext) {
          seen.push(checkpoint.value);
          const from = (checkpoint.value as { next: number } | undefined)?.next ?? 0;
          if (from === 0) {
            let n = 0n;
            for await (const _ of inputs['sales']?.rows() ?? []) n += 1n;
            yield [row(1n, 10, n, interval.end), row(2n, 20, n, interval.end)];
            await checkpoint.save({ next: 1 });
          }
          if (!failed) {
            failed = true;
            yield row(99n, 0, 0n, interval.end);
            throw new Error('the network went away');
          }
          yield tableFromArrays({
            user_id: BigInt64Array.from([3n]),
            event_timestamp: [new Date(interval.end)],
            total: Float64Array.from([0.1]),
            n: BigInt64Array.from([9007199254740993n]),
          });
        },
      }),
    });
    await world.withWorker(project, async (client) => {
      await (await client.run('shop_daily', { date: '2026-01-02' })).result();
    });
    expect(seen).toEqual([undefined, { next: 1 }]);
    const rows = await query(
      `SELECT user_id, total, n FROM '${lake}/totals/latest/features.parquet' ORDER BY user_id`,
    );
    expect(rows).toEqual([
      { user_id: 1n, total: 10, n: 4n },
      { user_id: 2n, total: 20, n: 4n },
      { user_id: 3n, total: 0.1, n: 9007199254740993n },
    ]);
    const [metadata] = await query(`SELECT codeHash FROM '${lake}/totals/latest/metadata.json'`);
    expect(metadata?.['codeHash']).toMatch(/^[0-9a-f]{64}$/);
  });

  it('that the worker lacks fails preflight, by name', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const { project } = await shop(name, folder, {
      totals: totalsOf({
        build: async function* ({ interval }: BuildContext) {
          yield row(1n, 1, 1n, interval.end);
        },
      }),
    });
    const { createRuntime } = await import('../../worker/runtime.js');
    const { resolveRun } = await import('../../activities/resolve-run.js');
    const owned = await createRuntime({ project });
    const { MockActivityEnvironment } = await import('@temporalio/testing');
    const without = { ...owned.runtime, project: { ...owned.runtime.project, handlers: new Map() } };
    await expect(
      new MockActivityEnvironment().run(() =>
        resolveRun(without, { type: 'pipeline', now: '2026-01-05T00:00:00Z' }),
      ),
    ).rejects.toThrow(/no code for the build of "totals"/);
    await owned.close();
    await world.pg.query(`DROP SCHEMA "granary_${name}_dev" CASCADE`);
  });
});

describe('Postgres as the online store', () => {
  it('serves what is stored, newest first in order', async () => {
    const name = unique();
    const { project, view, lake } = await shop(name, join(world.folder, name), { online: postgresOnline() });
    await world.withWorker(project, async (client) => {
      for (const date of ['2026-01-02', '2026-01-01'])
        await (await client.run('shop_daily', { date })).result();
      const stored = await query(
        `SELECT user_id, total::FLOAT AS total, n FROM '${lake}/totals/latest/features.parquet' ORDER BY user_id`,
      );
      const served = await client.features(
        view,
        stored.map((r) => ({ user_id: r['user_id'] as bigint })),
      );
      expect(served.map((r, i) => ({ user_id: stored[i]?.['user_id'], ...r.values }))).toEqual(stored);
      expect(stored.at(-1)?.['user_id']).toBe(9007199254740993n);
    });
  });
});

describe('starts by hand and by schedule', () => {
  it('an empty box runs the only pipeline for its last complete interval, never past its endDate', async () => {
    const name = unique();
    const { project } = await shop(name, join(world.folder, name));
    const taskQueue = `granary-${name}-dev`;
    await world.withWorker(project, async () => {
      const empty = (await world.temporal.workflow.execute('pipeline', {
        taskQueue,
        workflowId: unique(),
      })) as RunResult;
      expect([empty.pipeline, empty.interval]).toEqual([
        'shop_daily',
        { start: '2026-01-09T00:00:00Z', end: '2026-01-10T00:00:00Z' },
      ]);
      const braces = (await world.temporal.workflow.execute('pipeline', {
        taskQueue,
        workflowId: unique(),
        args: [{}],
      })) as RunResult;
      expect(outcomes(braces)).toEqual(Array(4).fill('current'));
      const dated = (await world.temporal.workflow.execute('pipeline', {
        taskQueue,
        workflowId: unique(),
        args: [{ pipeline: 'shop_daily', date: '2026-01-04' }],
      })) as RunResult;
      expect(dated.interval.start).toBe('2026-01-04T00:00:00Z');
      const view = (await world.temporal.workflow.execute('materialize', {
        taskQueue,
        workflowId: unique(),
        args: [{ view: 'totals', date: '2026-01-05' }],
      })) as RunResult;
      expect(view.steps.map((step) => step.step.replace(/\..*/, ''))).toEqual([
        'source/totals',
        'view/totals',
      ]);
      const set = (await world.temporal.workflow.execute('trainingSet', {
        taskQueue,
        workflowId: unique(),
        args: [{ trainingSet: 'large_purchases', date: '2026-01-05' }],
      })) as RunResult;
      expect(set.steps.map((step) => [step.step.replace(/\..*/, ''), step.outcome])).toEqual(
        expect.arrayContaining([
          ['source/totals', 'current'],
          ['trainingSet/large_purchases', 'made'],
        ]),
      );
    });
  });

  it('a scheduled run takes the interval that ends at its tick', async () => {
    const name = unique();
    const { project } = await shop(name, join(world.folder, name));
    await world.withWorker(project, async () => {
      const schedule = await world.temporal.schedule.create({
        scheduleId: name,
        spec: { cronExpressions: ['0 0 * * *'] },
        state: { paused: true },
        action: {
          type: 'startWorkflow',
          workflowType: 'pipeline',
          taskQueue: `granary-${name}-dev`,
          workflowId: name,
        },
      });
      try {
        const tick = new Date('2026-01-03T00:00:00Z');
        await schedule.backfill({ start: tick, end: tick, overlap: 'ALLOW_ALL' });
        const handle = world.temporal.workflow.getHandle(`${name}-2026-01-03T00:00:00Z`);
        await expect
          .poll(() =>
            handle.describe().then(
              () => true,
              () => false,
            ),
          )
          .toBe(true);
        const result = (await handle.result()) as RunResult;
        expect(result.interval).toEqual({ start: '2026-01-02T00:00:00Z', end: '2026-01-03T00:00:00Z' });
      } finally {
        await schedule.delete();
      }
    });
  });
});

describe('a run after one that was cut off between its commit and its publication', () => {
  it('publishes what is left, and removes what closed runs staged', async () => {
    const name = unique();
    const { project, lake } = await shop(name, join(world.folder, name));
    await world.withWorker(project, async (client) => {
      const first = await (await client.run('shop_daily', { date: '2026-01-01' })).result();
      const version = first.steps.find((step) => step.step.startsWith('source/totals'))?.version ?? '';
      // As a power cut would leave it: the commit row and its staged bytes are there, the published folder and latest are not.
      const staged = await world.registry(
        project,
        `SELECT f->>'name' AS name, f->>'staged' AS path FROM {schema}.datasets, jsonb_array_elements(files) f WHERE target LIKE 'source/totals%'`,
      );
      for (const { name: file, path } of staged)
        await cp(join(lake, 'totals', version, String(file)), join(lake, String(path)), { recursive: true });
      await rm(join(lake, 'totals'), { recursive: true });
      await world.registry(
        project,
        `UPDATE {schema}.datasets SET published_at = NULL WHERE target LIKE 'source/totals%'`,
      );
      await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      expect(existsSync(join(lake, 'totals', version, 'features.parquet'))).toBe(true);
      expect(await query(`SELECT max(total) AS total FROM '${lake}/totals/latest/features.parquet'`)).toEqual(
        [{ total: 30 }],
      );
    });
  });
});
