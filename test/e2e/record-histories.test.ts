import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { expect, it } from 'vitest';
import type { BuildContext, Project } from '../../definitions/index.js';
import { Timestamp } from '../../definitions/index.js';
import { applied } from '../fixtures/applied.js';
import { twoVariants } from '../fixtures/promoted.js';
import { scheduledShop } from '../fixtures/scheduled.js';
import { shop, totalsOf, writeSales } from '../fixtures/shop.js';
import { scrubbed } from '../support/recorded-history.js';
import { untilRunning } from '../support/running.js';
import { atTick, fromNow } from '../support/ticks.js';
import { createWorld } from '../support/world.js';

/**
 * Records the histories that replay.test.ts replays; only on request, once a release. `GRANARY_RECORD_HISTORIES=rollback,pipeline` writes
 * these alone: what was recorded before a change of workflow code proves more than what is recorded after it.
 */
const asked = process.env['GRANARY_RECORD_HISTORIES'] ?? '';
const wanted = (name: string): boolean => asked === '1' || asked.split(',').includes(name);

it.runIf(asked)(
  'records a history of every kind of run',
  async () => {
    await using world = await createWorld();
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    const folder = join('test/histories', version);
    await mkdir(folder, { recursive: true });
    const id = (): string => `h${randomBytes(4).toString('hex')}`;
    const gate = join(world.folder, 'gate');
    const gated = totalsOf({
      build: async function* ({ interval, signal }: BuildContext) {
        while (!existsSync(gate)) {
          signal.throwIfAborted();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        yield { user_id: 1n, event_timestamp: Timestamp.from(interval.end), total: 1, n: 1n };
      },
    });
    const record = async (
      name: string,
      handle: { readonly workflowId: string; readonly runId?: string },
    ): Promise<void> => {
      const history = await world.temporal.workflow.getHandle(handle.workflowId).fetchHistory();
      const text = JSON.stringify(scrubbed(JSON.parse(historyToJSON(history))), null, 1);
      if (wanted(name)) await writeFile(join(folder, `${name}.json`), `${text}\n`);
    };
    const start = (project: Project, type: string, input: unknown) =>
      world.temporal.workflow.start(type, {
        taskQueue: `granary-${project.name}-dev`,
        workflowId: id(),
        args: [input],
      });
    const ended = (handle: { result(): Promise<unknown> }): Promise<unknown> =>
      handle.result().catch(() => undefined);

    // The gate is not open yet.
    const end = '2026-01-03T00:00:00Z';
    const late = await shop(`${world.name}h`, join(world.folder, 'h'), {
      totals: gated,
      deadline: { warn: fromNow(end, 20_000), cancel: fromNow(end, 22_000) },
    });
    await world.withWorker(late.project, async () => {
      const handle = await start(late.project, 'pipeline', { date: '2026-01-02' });
      await ended(handle);
      await record('deadline-exceeded', handle);
      const queue = `granary-${late.project.name}-dev`;
      const watcher = await atTick(world, queue, 'deadline', [{ pipeline: 'shop_daily' }], end);
      await ended(watcher);
      await record('deadline', watcher);
    });
    const plain = await shop(`${world.name}a`, join(world.folder, 'a'));
    await world.withWorker(plain.project, async () => {
      for (const [name, type, input] of [
        ['pipeline', 'pipeline', { date: '2026-01-02' }],
        ['pipeline-current', 'pipeline', { date: '2026-01-02' }],
        ['materialize', 'materialize', { view: 'totals', date: '2026-01-03' }],
        ['materialize-recorded', 'materialize', { views: ['totals'], from: '2026-01-01', to: 'now' }],
        ['full-refresh', 'materialize', { views: ['totals'], fullRefresh: true }],
        ['training-set', 'trainingSet', { trainingSet: 'large_purchases', date: '2026-01-03' }],
        ['wrong-input', 'pipeline', { dat: '2026-01-02' }],
        ['backfill', 'backfill', { from: '2026-01-05', to: '2026-01-08', concurrency: 2 }],
      ] as const) {
        const handle = await start(plain.project, type, input);
        await ended(handle);
        await record(name, handle);
      }
    });
    // A schedule's run that goes over the interval before its own as well: two parts.
    await writeSales(join(world.folder, 'i'));
    const looking = scheduledShop(`${world.name}i`, join(world.folder, 'i'), { daily: { lookback: 1 } });
    await world.withWorker(looking.project, async () => {
      const queue = `granary-${looking.project.name}-dev`;
      const handle = await atTick(world, queue, 'pipeline', [{ pipeline: 'daily' }], '2026-01-04T00:00:00Z');
      await ended(handle);
      await record('scheduled', handle);
    });
    await writeSales(join(world.folder, 'j'));
    const { first, both } = twoVariants(`${world.name}j`, join(world.folder, 'j'));
    const day = { date: '2026-01-02' };
    await world.withWorker(first.project, async (client) => (await client.run('shop_daily', day)).result());
    await world.withWorker(both, async (client) => {
      await (await client.run('shop_daily', { ...day, targets: ['view/totals.v2'] })).result();
      const handle = await start(both, 'promote', { name: 'view/totals', variant: 'v2' });
      await handle.result();
      await record('promote', handle);
    });
    const spoilt = await shop(`${world.name}e`, join(world.folder, 'e'));
    await world.withWorker(spoilt.project, async () => {
      await ended(await start(spoilt.project, 'pipeline', { date: '2026-01-02' }));
      await writeSales(
        join(world.folder, 'e'),
        `SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-02' AS sold_at, 1e9::DOUBLE AS amount`,
      );
      await ended(await start(spoilt.project, 'pipeline', { date: '2026-01-02' }));
      const handle = await start(spoilt.project, 'rollback', {
        featureSet: 'totals',
        reason: 'wrong export',
      });
      await ended(handle);
      await record('rollback', handle);
      // As it is since views are refreshed in full.
      await record('rollback-refresh', handle);
      for (const resource of ['pipeline/shop_daily', 'large_purchases', 'view/totals']) {
        const removed = await start(spoilt.project, 'remove', { resource, reason: 'not used' });
        await ended(removed);
        if (resource === 'view/totals') await record('remove', removed);
      }
      // Files and no values online, the other way through.
      const files = await start(spoilt.project, 'remove', { resource: 'source/totals' });
      await ended(files);
      await record('remove-files', files);
    });
    const fresh = await shop(`${world.name}f`, join(world.folder, 'f'));
    await world.withWorker(fresh.project, async () => {
      const handle = await start(fresh.project, 'apply', {});
      await ended(handle);
      await record('apply', handle);
      // As it is since an apply ends with registry.pb.
      await record('apply-exported', handle);
    });
    const broken = applied(`${world.name}g`, join(world.folder, 'g'));
    await world.withWorker(broken, async () => {
      const handle = await start(broken, 'apply', {});
      await ended(handle);
      await record('apply-failed', handle);
    });
    const failing = await shop(`${world.name}b`, join(world.folder, 'b'), {
      rows: `SELECT NULL::BIGINT AS user_id, TIMESTAMP '2026-01-02' AS sold_at, 1.0::DOUBLE AS amount`,
    });
    await world.withWorker(failing.project, async () => {
      const handle = await start(failing.project, 'pipeline', { date: '2026-01-02' });
      await ended(handle);
      await record('failed', handle);
    });
    const slow = await shop(`${world.name}c`, join(world.folder, 'c'), { totals: gated });
    await world.withWorker(slow.project, async () => {
      const cancelled = await start(slow.project, 'pipeline', { date: '2026-01-02' });
      await untilRunning(cancelled, 'buildRows');
      await cancelled.cancel();
      await ended(cancelled);
      await record('cancelled', cancelled);
      const owner = await start(slow.project, 'pipeline', { date: '2026-01-03' });
      await untilRunning(owner, 'buildRows');
      const waiter = await start(slow.project, 'pipeline', { date: '2026-01-03' });
      await untilRunning(waiter, 'awaitOwner');
      await writeFile(gate, '');
      await Promise.all([ended(owner), ended(waiter)]);
      await record('waited', waiter);
    });
    // The store is emptied between the staging of a load and its end.
    const emptied = await shop(`${world.name}d`, join(world.folder, 'd'), {
      rows: `SELECT range::BIGINT AS user_id, TIMESTAMP '2026-01-02' AS sold_at, 1.0::DOUBLE AS amount FROM range(300000)`,
    });
    await world.withWorker(
      emptied.project,
      async () => {
        const handle = await start(emptied.project, 'pipeline', { date: '2026-01-02' });
        await untilRunning(handle, 'loadShard');
        await world.redis.del(`__granary:store:${emptied.project.name}_dev`);
        await ended(handle);
        await record('store-replaced', handle);
      },
      { load: { rowsPerShard: 500_000, rowsPerGroup: 20_000 } },
    );
    expect(await readFile(join(folder, 'store-replaced.json'), 'utf8')).toContain('StoreReplaced');
  },
  180_000,
);
