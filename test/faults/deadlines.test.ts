import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  defineProject,
  fromEnv,
  pipeline,
  postgresDatabase,
  postgresProvider,
  sql,
  t,
  type BuildContext,
  type Project,
} from '../../definitions/index.js';
import type { DeadlineResult } from '../../workflows/index.js';
import { lake, sales, shop, totalsOf } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { failureOf } from '../support/failure.js';
import { untilRunning } from '../support/running.js';
import { atTick, fromNow } from '../support/ticks.js';
import { until } from '../support/until.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
/** Longer than a run needs to begin here and now; milliseconds. */
let soon: number;
beforeAll(async () => {
  world = await createWorld();
  const name = unique();
  const { project } = await shop(name, join(world.folder, name));
  await world.withWorker(project, async () => {
    const began = performance.now();
    await (await start(project, DAY)).result();
    soon = 6000 + 4 * (performance.now() - began);
  });
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `d${randomBytes(5).toString('hex')}`;
const END = '2026-01-03T00:00:00Z';
const DAY = { date: '2026-01-02' };
const PIPELINE = { pipeline: 'shop_daily' };
const queueOf = ({ name }: Project): string => `granary-${name}-dev`;

/** A build that waits for a file, and then is one row. */
const gated = (gate: string, over: object = {}) =>
  totalsOf({
    build: async function* ({ interval, signal }: BuildContext) {
      while (!existsSync(gate)) {
        signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      yield { user_id: 1n, event_timestamp: interval.end, total: 1, n: 1n };
    },
    ...over,
  });

const start = (project: Project, input: object) =>
  world.temporal.workflow.start('pipeline', {
    taskQueue: queueOf(project),
    workflowId: unique(),
    args: [input],
  });

/** Milliseconds from when a run's timer rang to when its activity had stopped, by Temporal's clock. */
async function stoppedAfter(handle: WorkflowHandle): Promise<number> {
  const { events } = await handle.fetchHistory();
  const at = (of: 'timerFiredEventAttributes' | 'activityTaskCanceledEventAttributes'): number => {
    const { seconds, nanos } = events?.find((event) => event[of])?.eventTime ?? {};
    return Number(seconds) * 1000 + (nanos ?? 0) / 1e6;
  };
  return at('activityTaskCanceledEventAttributes') - at('timerFiredEventAttributes');
}

const eventsOf = async (project: Project) =>
  await world.registry(
    project,
    `SELECT kind, pipeline, regexp_replace(step, '\\..*', '') AS step, message FROM {schema}.events ORDER BY id`,
  );
const runsOf = async (project: Project) =>
  (await world.registry(project, 'SELECT status FROM {schema}.runs ORDER BY started_at')).map(
    ({ status }) => status,
  );

describe('a run at its deadline', { timeout: 180_000 }, () => {
  it('is cancelled: the engine stops, what it staged is gone, nothing else changes, and the registry says why', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    // Of few rows it is done at once; of the many that come later it would take hours.
    const slow = totalsOf({
      build: `SELECT user_id, max(sold_at) AS event_timestamp, sum(amount) AS total, (SELECT count(*) FROM {{sales}} a, {{sales}} b, {{sales}} c, {{sales}} d WHERE a.amount + b.amount + c.amount + d.amount > 0) AS n FROM {{sales}} GROUP BY user_id`,
      inputs: { sales },
    });
    const before = await shop(name, folder, { totals: slow });
    await world.withWorker(before.project, async (client) => {
      await (await client.run('shop_daily', { date: '2026-01-01' })).result();
    });
    const online = await world.online(`${name}_dev`);
    const latest = await query(`SELECT * FROM '${before.lake}/totals/latest/features.parquet'`);
    await query(
      `COPY (SELECT i::BIGINT AS user_id, TIMESTAMP '2026-01-02 01:00:00' AS sold_at, 1.0::DOUBLE AS amount FROM range(20000) t(i)) TO '${folder}/raw/sales-many.parquet' (FORMAT parquet)`,
    );
    const { project } = await shop(name, folder, { totals: slow, deadline: fromNow(END, soon) });
    await world.withWorker(project, async (client) => {
      const handle = await start(project, DAY);
      await untilRunning(handle, 'buildRows');
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('DeadlineExceeded');
      expect(failure.message).toMatch(
        /^shop_daily 2026-01-02 was due at 20\S+Z, \d+s after the interval's end, and was cancelled\. .*Cancelled: .*source\/totals\.\w+\. Not begun: view\/totals\.\w+, trainingSet\/large_purchases\.\w+\. Run the interval by hand/,
      );
      // Noticed within the throttle of heartbeats (200 ms here), and the query is gone 5 s later at most, where the machine does nothing else.
      expect(await stoppedAfter(handle)).toBeLessThan(5000 + soon);
      expect(await client.status(handle.firstExecutionRunId)).toMatchObject({
        status: 'DEADLINE_EXCEEDED',
        error: failure.message,
      });
      expect(await eventsOf(project)).toEqual([
        { kind: 'exceeded', pipeline: 'shop_daily', step: '', message: failure.message },
      ]);
      expect(await readdir(join(before.lake, '_staging')).catch(() => [])).toEqual([]);
      expect(await query(`SELECT * FROM '${before.lake}/totals/latest/features.parquet'`)).toEqual(latest);
      expect(await world.online(`${name}_dev`)).toEqual(online);
      expect(
        await world.registry(
          project,
          `SELECT target FROM {schema}.ledger WHERE interval_end = '${END}' AND target NOT LIKE 'source/purchases%'`,
        ),
      ).toEqual([]);
    });
  });

  it('that waits for a query in Postgres ends the query as well: no session works on it, and no table is left', async () => {
    const name = unique();
    const schema = `s_${name}`;
    await world.pg.query(
      `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.sold (user_id text, amount float8); INSERT INTO ${schema}.sold VALUES ('a', 1)`,
    );
    const warehouse = postgresProvider('warehouse');
    const sold = warehouse.table('sold', {
      dbSchema: schema,
      schema: { user_id: t.string, amount: t.float64 },
    });
    const slow = warehouse.sql('slow', {
      query: sql`SELECT user_id, sum(amount) AS total FROM ${sold} WHERE pg_sleep(600) IS NOT NULL GROUP BY user_id`,
      schema: { user_id: t.string, total: t.float64 },
    });
    const url = fromEnv('DATABASE_URL');
    const project = defineProject({
      name,
      resources: [
        pipeline('slow_daily', {
          targets: [slow],
          schedule: { cron: '0 0 * * *' },
          startDate: '2026-01-01',
          deadline: fromNow(END, soon),
        }),
      ],
      environments: {
        dev: { registry: { url }, bind: { warehouse: postgresDatabase({ url }) } },
      },
    });
    const working = async (): Promise<number> =>
      (
        await world.pg.query(
          `SELECT FROM pg_stat_activity WHERE query LIKE '%${schema}%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()`,
        )
      ).rowCount ?? 0;
    try {
      await world.withWorker(project, async (client) => {
        const handle = await start(project, DAY);
        await until('the query', async () => (await working()) > 0, { timeoutMs: 30_000 });
        expect((await failureOf(handle.result())).type).toBe('DeadlineExceeded');
        expect(await working()).toBe(0);
        expect((await client.status(handle.firstExecutionRunId))?.status).toBe('DEADLINE_EXCEEDED');
      });
      const left = await world.pg.query(
        `SELECT table_name FROM information_schema.tables WHERE table_schema = 'granary_${name}_dev_offline' AND table_name LIKE '%slow%'`,
      );
      expect(left.rows).toEqual([]);
    } finally {
      await world.pg.query(
        `DROP SCHEMA ${schema} CASCADE; DROP SCHEMA IF EXISTS granary_${name}_dev_offline CASCADE`,
      );
    }
  });

  it('is warned of before, once, and goes on', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const { project } = await shop(name, join(world.folder, name), {
      totals: gated(gate),
      deadline: { warn: '1h' },
    });
    await world.withWorker(project, async (client) => {
      const handle = await atTick(world, queueOf(project), 'pipeline', [PIPELINE], END);
      await until('the warning', async () => (await eventsOf(project).catch(() => [])).length > 0, {
        timeoutMs: 30_000,
      });
      await writeFile(gate, '');
      await handle.result();
      expect((await client.status((await handle.describe()).runId))?.status).toBe('COMPLETED');
      const [event, ...more] = await eventsOf(project);
      expect(more).toEqual([]);
      expect(event).toMatchObject({ kind: 'warned', pipeline: 'shop_daily', step: '' });
      expect(event?.['message']).toMatch(
        /due at 2026-01-03T01:00:00Z, 1h after the interval's end, and is not done\. It goes on\. .*view\/totals/,
      );
    });
  });

  it('that somebody cancels is CANCELLED, and no deadline is raised', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const { project } = await shop(name, join(world.folder, name), {
      totals: gated(gate),
      deadline: { warn: fromNow(END, 3_600_000), cancel: fromNow(END, 7_200_000) },
    });
    await world.withWorker(project, async (client) => {
      const handle = await start(project, DAY);
      await untilRunning(handle, 'buildRows');
      await handle.cancel();
      await expect(handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) as unknown });
      expect((await client.status(handle.firstExecutionRunId))?.status).toBe('CANCELLED');
      expect(await eventsOf(project)).toEqual([]);
    });
  });

  it('that has passed ends the run of a tick at once; by hand the interval can be made, and is not due again', async () => {
    const name = unique();
    const { project } = await shop(name, join(world.folder, name), { deadline: '2h' });
    await world.withWorker(project, async (client) => {
      const scheduled = () => atTick(world, queueOf(project), 'pipeline', [PIPELINE], END);
      const failure = await failureOf((await scheduled()).result());
      expect([failure.type, failure.message]).toEqual([
        'DeadlineExceeded',
        "shop_daily 2026-01-02 was due at 2026-01-03T02:00:00Z, 2h after the interval's end: its run began too late, and nothing was done. Run the interval by hand: such a run has no deadline.",
      ]);
      await (await client.run('shop_daily', DAY)).result();
      // Of the same interval again: it is valid, but was not in time.
      await failureOf((await scheduled()).result());
      expect(await runsOf(project)).toEqual(['DEADLINE_EXCEEDED', 'COMPLETED', 'DEADLINE_EXCEEDED']);
      expect((await eventsOf(project)).map(({ kind }) => kind)).toEqual(['exceeded']);
    });
  });

  it('that was met is none: the run of a tick finds valid what was made in time', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const { project } = await shop(name, folder, { deadline: fromNow(END, soon + 1000) });
    await world.withWorker(project, async (client) => {
      await (await client.run('shop_daily', DAY)).result();
      const due = await world.registry(
        project,
        `SELECT extract(epoch FROM interval_end + (spec->'deadline'->>'cancel')::interval)::float8 AS at FROM {schema}.pipelines, {schema}.runs`,
      );
      await until('the deadline', async () => Date.now() > Number(due[0]?.['at']) * 1000, {
        timeoutMs: soon + 30_000,
      });
      const handle = await atTick(world, queueOf(project), 'pipeline', [PIPELINE], END);
      expect(await handle.result()).toMatchObject({ interval: { end: END } });
      const watch = async (): Promise<DeadlineResult> =>
        (await (
          await atTick(world, queueOf(project), 'deadline', [PIPELINE], END)
        ).result()) as DeadlineResult;
      expect((await watch()).missed).toEqual([]);
      // Made anew since: whoever asks late, as after a worker's absence, finds that it was there in time.
      await (await client.run('shop_daily', { ...DAY, rebuild: true })).result();
      expect((await watch()).missed).toEqual([]);
      expect(await eventsOf(project)).toEqual([]);
    });
  });
});

describe('a step at its deadline', { timeout: 180_000 }, () => {
  it('fails, with what depends on it; the rest goes on, and the run is DEADLINE_EXCEEDED', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const { project } = await shop(name, join(world.folder, name), {
      totals: gated(gate, { deadline: { warn: fromNow(END, soon), cancel: fromNow(END, soon + 1000) } }),
    });
    await world.withWorker(project, async (client) => {
      const handle = await start(project, DAY);
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('DeadlineExceeded');
      expect(failure.message).toMatch(
        /^2026-01-02: source\/totals\.\w+: the step source\/totals\.\w+ of shop_daily 2026-01-02 was due at .* and was cancelled\n.*view\/totals.*not run/,
      );
      expect((await client.status(handle.firstExecutionRunId))?.status).toBe('DEADLINE_EXCEEDED');
      const steps = await world.registry(
        project,
        `SELECT regexp_replace(step_id, '\\..*', '') AS step, status FROM {schema}.steps ORDER BY 1`,
      );
      expect(steps).toEqual([
        { step: 'source/purchases', status: 'COMPLETED' },
        { step: 'source/totals', status: 'FAILED' },
        { step: 'trainingSet/large_purchases', status: 'FAILED' },
        { step: 'view/totals', status: 'FAILED' },
      ]);
      expect((await eventsOf(project)).map(({ kind, step }) => [kind, step])).toEqual([
        ['warned', 'source/totals'],
        ['exceeded', 'source/totals'],
      ]);
      // The interval is free: made by hand it has no deadline.
      await writeFile(gate, '');
      await (await client.run('shop_daily', DAY)).result();
    });
  });

  it('that waits for another one fails then, and is not begun', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const totals = gated(gate);
    const doubled = lake.sql('doubled', {
      query: sql`SELECT user_id, 2 * total AS total FROM ${totals}`,
      schema: { user_id: t.int64, total: t.float64 },
      deadline: fromNow(END, soon),
    });
    const more = [
      pipeline('doubled_daily', {
        targets: [doubled],
        schedule: { cron: '0 0 * * *' },
        startDate: '2026-01-01',
      }),
    ];
    const { project } = await shop(name, join(world.folder, name), { totals, more });
    await world.withWorker(project, async (client) => {
      const handle = await start(project, { ...DAY, pipeline: 'doubled_daily' });
      await until('the deadline', async () => (await eventsOf(project).catch(() => [])).length > 0, {
        timeoutMs: 30_000,
      });
      await writeFile(gate, '');
      const failure = await failureOf(handle.result());
      expect([failure.type, failure.message]).toEqual([
        'DeadlineExceeded',
        expect.stringMatching(/^2026-01-02: source\/doubled.* was due at .*, and had not begun$/),
      ]);
      expect((await client.status(handle.firstExecutionRunId))?.status).toBe('DEADLINE_EXCEEDED');
    });
  });
});

describe('the workflow deadline', () => {
  it('raises each deadline once where no run ever began, whether or not a worker was there', async () => {
    const name = unique();
    const { project } = await shop(name, join(world.folder, name), {
      deadline: { warn: '1h', cancel: '2h' },
    });
    const watch = () => atTick(world, queueOf(project), 'deadline', [PIPELINE], END);
    // No worker polls, as the tick comes twice; then one does.
    const watchers = [await watch(), await watch()];
    await world.withWorker(project, async () => {
      for (const watcher of watchers)
        expect(await watcher.result()).toEqual({
          pipeline: 'shop_daily',
          interval: { start: '2026-01-02T00:00:00Z', end: END },
          missed: ['warned', 'exceeded'],
        });
    });
    const events = await eventsOf(project);
    expect(events.map(({ kind, step }) => [kind, step])).toEqual([
      ['warned', ''],
      ['exceeded', ''],
    ]);
    expect(events[1]?.['message']).toMatch(
      /^The pipeline shop_daily missed its deadline for 2026-01-02: it was due at 2026-01-03T02:00:00Z, 2h after the interval's end, and source\/totals\S+, .* were not valid\. No run of it has begun/,
    );
  });

  it('names the run that is under way', async () => {
    const name = unique();
    const gate = join(world.folder, `${name}.gate`);
    const { project } = await shop(name, join(world.folder, name), {
      totals: gated(gate),
      deadline: { warn: '1h' },
    });
    await world.withWorker(project, async () => {
      // By hand at a later moment: it has no deadline of its own.
      const run = await start(project, DAY);
      await untilRunning(run, 'buildRows');
      const watcher = await atTick(world, queueOf(project), 'deadline', [PIPELINE], END);
      expect(((await watcher.result()) as DeadlineResult).missed).toEqual(['warned']);
      await writeFile(gate, '');
      await run.result();
    });
    const [event, ...more] = await eventsOf(project);
    expect(more).toEqual([]);
    expect(event?.['message']).toMatch(/Its run d\w+ is under way\.$/);
  });

  it('raises the deadline of an interval whose end a change of clocks skips, once, at the next tick', async () => {
    const name = unique();
    // 02:30 is not on 8 March 2026 in New York: no tick, and no watcher, for the day that ends there.
    const { project } = await shop(name, join(world.folder, name), {
      more: [
        pipeline('nightly', {
          targets: ['source/totals'],
          schedule: { cron: '30 2 * * *', timezone: 'America/New_York' },
          startDate: '2026-03-01',
          deadline: { warn: '1h', cancel: '36h' },
        }),
      ],
    });
    const tick = '2026-03-09T06:30:00Z';
    const watch = () => atTick(world, queueOf(project), 'deadline', [{ pipeline: 'nightly' }], tick);
    await world.withWorker(project, async () => {
      for (const watcher of [await watch(), await watch()])
        expect(await watcher.result()).toEqual({
          pipeline: 'nightly',
          interval: { start: '2026-03-08T07:30:00Z', end: tick },
          missed: ['warned', 'exceeded'],
          others: [
            {
              interval: { start: '2026-03-07T07:30:00Z', end: '2026-03-08T07:30:00Z' },
              missed: ['warned', 'exceeded'],
            },
          ],
        });
    });
    const events = await world.registry(
      project,
      `SELECT kind, interval_end, deadline FROM {schema}.events ORDER BY interval_end, kind DESC`,
    );
    expect(events.map(({ kind, deadline }) => [kind, (deadline as Date).toISOString()])).toEqual([
      ['warned', '2026-03-08T08:30:00.000Z'],
      ['exceeded', '2026-03-09T19:30:00.000Z'],
      ['warned', '2026-03-09T07:30:00.000Z'],
      ['exceeded', '2026-03-10T18:30:00.000Z'],
    ]);
  });

  it('has nothing to watch before the first interval, after the last, and without a deadline', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const { project } = await shop(name, folder, { deadline: '2h' });
    const watch = async (tick: string): Promise<unknown> =>
      await (await atTick(world, queueOf(project), 'deadline', [PIPELINE], tick)).result();
    await world.withWorker(project, async () => {
      for (const tick of ['2026-01-01T00:00:00Z', '2026-01-11T00:00:00Z'])
        expect(await watch(tick)).toEqual({ pipeline: 'shop_daily', missed: [] });
      const wrong = await atTick(world, queueOf(project), 'deadline', [{ pipeline: 'shop_dayly' }], END);
      expect(await failureOf(wrong.result())).toMatchObject({
        type: 'UnknownResource',
        message: expect.stringMatching(/no pipeline "shop_dayly".*Did you mean "shop_daily"/) as unknown,
      });
    });
    const { project: without } = await shop(name, folder);
    await world.withWorker(without, async () => {
      expect(await watch(END)).toEqual({ pipeline: 'shop_daily', missed: [] });
    });
    expect(await eventsOf(project)).toEqual([]);
  });
});
