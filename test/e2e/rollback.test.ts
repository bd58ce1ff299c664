import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { caller } from '../../client/caller.js';
import type { RunHandle, RunResult } from '../../client/index.js';
import { Timestamp, type BuildContext, type Project } from '../../definitions/index.js';
import { shop, totalsOf, type Shop } from '../fixtures/shop.js';
import { DAY, expectAgain, seen, spoilt } from '../support/rolled-back.js';
import { untilRunning } from '../support/running.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const me = caller();
const step = (result: RunResult, id: string) => result.steps.find((s) => s.step.startsWith(id));
const start = (project: Project, input: object) =>
  world.temporal.workflow.start('rollback', {
    taskQueue: `granary-${project.name}-dev`,
    workflowId: `rollback-${randomBytes(5).toString('hex')}`,
    args: [input],
  });
/** All that a rollback could change. */
const state = async (made: Shop): Promise<unknown[]> => [
  await seen(world, made),
  await world.registry(made.project, 'SELECT * FROM {schema}.ledger ORDER BY target, interval_start'),
  await world.registry(made.project, 'SELECT id, published_at FROM {schema}.datasets ORDER BY id'),
  await world.registry(made.project, 'SELECT * FROM {schema}.audit'),
];
const failure = async (result: Promise<unknown>): Promise<{ type: string; message: string }> => {
  const error = (await result.then(
    () => undefined,
    (e: unknown) => e,
  )) as { cause?: { type: string; message: string } } | undefined;
  return { type: error?.cause?.type ?? 'none', message: error?.cause?.message ?? '' };
};

describe('a rollback', () => {
  it('over S3 puts everything back as well', async () => {
    const { shop: made, good, bad } = await spoilt(world, 's3');
    await world.withWorker(made.project, async (client) => {
      const result = await (await client.rollback('totals')).result();
      expect(step(result, 'source/totals')?.rollback).toEqual({ from: bad.version, of: good.version });
      expectAgain(await seen(world, made), good);
    });
  });

  it('puts files, latest, registry, ledger and online values back as they were; the days go on', async () => {
    const { shop: made, good, bad } = await spoilt(world);
    const { project, lake } = made;
    await world.withWorker(project, async (client) => {
      const result = await (await client.rollback('totals', { reason: 'sales were cut off' })).result();
      expect(step(result, 'source/totals')).toMatchObject({
        outcome: 'made',
        generation: 3,
        rollback: { from: bad.version, of: good.version },
      });
      // The user that only the bad version had is gone, and nobody else is.
      expect(step(result, 'view/totals')).toMatchObject({ loaded: { written: 3, older: 0 }, removed: 1 });
      expect((await client.features(made.view, [{ user_id: 777n }]))[0]?.values.total).toBeNull();
      const now = await seen(world, made);
      expectAgain(now, good);
      expect(now.run).toMatchObject({
        rollback: { of: good.version, by: me, reason: 'sales were cut off' },
      });
      const versions = await client.versions('totals');
      expect(versions.map((v) => [v.generation, v.version, v.current, v.rows])).toEqual([
        [3, now.version, true, 3],
        [2, bad.version, false, 4],
        [1, good.version, false, 3],
      ]);
      expect(versions.map((v) => v.rollback)).toEqual([
        expect.objectContaining({
          of: good.version,
          from: bad.version,
          by: me,
          reason: 'sales were cut off',
        }),
        undefined,
        undefined,
      ]);
      expect(versions[0]?.workflowId).toBe(`rollback/${project.name}_dev/totals`);

      // Asked again, it does not go forth to what it took away; the versions of the bad one's readers are untouched.
      expect(await failure((await client.rollback('totals')).result())).toEqual({
        type: 'RollbackRefused',
        message: expect.stringMatching(/no earlier version .* other rows .*Nothing was changed/) as string,
      });
      const next = await (await client.run('shop_daily', { date: '2026-01-03' })).result();
      expect(next.steps.map((s) => s.outcome)).toEqual(Array(4).fill('made'));
      expect((await seen(world, made)).generation).toBe(1);
      expect((await client.versions('totals')).map((v) => v.generation)).toEqual([1]);
      // Staging is gone, also that of the rollback.
      expect(
        await world.registry(project, 'SELECT id FROM {schema}.datasets WHERE published_at IS NULL'),
      ).toEqual([]);
      expect(await readdir(join(lake, '_staging'))).toEqual([]);
    });
  });

  it('by hand from the Temporal UI, twice at once, makes one version; a named version brings views up to date again', async () => {
    const { shop: made, folder, good } = await spoilt(world);
    // It reads no source: a rollback works also when the source is what is broken.
    await rm(join(folder, 'raw'), { recursive: true });
    await world.withWorker(made.project, async (client) => {
      const input = { featureSet: 'totals', version: good.version };
      const handles = [await start(made.project, input), await start(made.project, input)];
      const results = (await Promise.all(handles.map((handle) => handle.result()))) as RunResult[];
      expect(results.map((result) => step(result, 'source/totals')?.outcome).sort()).toEqual([
        'current',
        'made',
      ]);
      expectAgain(await seen(world, made), good);
      const versions = await client.versions('totals');
      expect(versions.map((v) => v.rollback?.by)).toEqual(['Temporal UI', undefined, undefined]);
      await world.redis.del(...(await world.redis.keysBuffer(`*${made.project.name}_dev`)));
      await (await client.rollback('totals', { version: good.version })).result();
      expectAgain(await seen(world, made), good);
    });
  });

  it('is refused, and changes nothing, where there is nothing to go back to', async () => {
    const { shop: made, good, bad } = await spoilt(world);
    const { project } = made;
    await world.withWorker(project, async (client) => {
      await (await client.run('shop_daily', { date: '2026-01-01' })).result();
      const [other] = await world.registry(
        project,
        `SELECT version FROM {schema}.datasets WHERE target LIKE 'source/totals.%' AND interval_start = '2026-01-01Z'`,
      );
      const before = await state(made);
      for (const [input, type, message] of [
        [{ featureSet: 'totalz' }, 'UnknownResource', /no feature set "totalz"\. Did you mean "totals"\?/],
        [
          { featureSet: 'purchases' },
          'InvalidInput',
          /"purchases" is a transformation.*Feature sets: totals/,
        ],
        [{ featureSet: 'sales' }, 'InvalidInput', /"sales" is a raw source/],
        [{ featureSet: 'large_purchases' }, 'InvalidInput', /"large_purchases" is a training set/],
        [{ featureSet: 'view/totals' }, 'InvalidInput', /feature view.*Its feature set is "totals"/],
        [{ featureSet: 'large' }, 'InvalidInput', /"large" is a label/],
        [{ featureSet: 'totals', version: 'v_x' }, 'RollbackRefused', /totals has no version "v_x".*--list/],
        [
          { featureSet: 'totals', version: bad.version },
          'RollbackRefused',
          /is the current version of totals/,
        ],
        [
          { featureSet: 'totals', version: other?.['version'] },
          'RollbackRefused',
          /holds the interval 2026-01-01, but its newest interval is 2026-01-02/,
        ],
        [{ feature_set: 'totals' }, 'InvalidInput', /unknown field "feature_set".*"featureSet" is missing/],
      ] as const)
        expect(await failure((await start(project, input)).result())).toEqual({
          type,
          message: expect.stringMatching(message) as string,
        });
      expect(await state(made)).toEqual(before);

      // The bytes of the good version are gone: it is noticed before anything is committed.
      await rm(join(made.lake, 'totals', good.version, 'features.csv'));
      expect(await failure((await start(project, { featureSet: 'totals' })).result())).toMatchObject({
        type: 'SourceMissing',
      });
      expect(await state(made)).toEqual(before);
    });
  });

  it('waits for a run that is making the interval, and then does not take away what nobody has looked at', async () => {
    const name = `o${randomBytes(5).toString('hex')}`;
    const gate = join(world.folder, `${name}.gate`);
    let total = 1;
    const made = await shop(name, join(world.folder, name), {
      totals: totalsOf({
        build: async function* ({ interval, signal }: BuildContext) {
          while (total > 2 && !existsSync(gate)) await sleep(20, undefined, { signal });
          yield { user_id: 1n, event_timestamp: Timestamp.from(interval.end), total, n: 1n };
        },
      }),
    });
    await world.withWorker(made.project, async (client) => {
      const build = (): Promise<RunHandle> => client.run('shop_daily', { date: DAY, rebuild: true });
      await (await build()).result();
      total = 2;
      await (await build()).result();
      total = 3;
      const owner = await build();
      await untilRunning(world.temporal.workflow.getHandle(owner.workflowId), 'buildRows');
      const waiting = await client.rollback('totals');
      await untilRunning(world.temporal.workflow.getHandle(waiting.workflowId), 'awaitOwner');
      await writeFile(gate, '');
      await owner.result();
      expect(await failure(waiting.result())).toEqual({
        type: 'RollbackRefused',
        message: expect.stringMatching(/has a newer version, v_\w+, made while this rollback/) as string,
      });
      expect(await client.features(made.view, [{ user_id: 1n }])).toMatchObject([{ values: { total: 3 } }]);
      // Now somebody has looked at it.
      await (await client.rollback('totals')).result();
      expect(await client.features(made.view, [{ user_id: 1n }])).toMatchObject([{ values: { total: 2 } }]);
      // And a second time goes back a second time.
      await (await client.rollback('totals')).result();
      expect(await client.features(made.view, [{ user_id: 1n }])).toMatchObject([{ values: { total: 1 } }]);
      expect((await client.versions('totals')).map((v) => v.generation)).toEqual([5, 4, 3, 2, 1]);
    });
  });

  it('of a feature set with one version, or none, says so', async () => {
    const name = `n${randomBytes(5).toString('hex')}`;
    const made = await shop(name, join(world.folder, name));
    await world.withWorker(made.project, async (client) => {
      expect(await failure((await start(made.project, { featureSet: 'totals' })).result())).toMatchObject({
        type: 'UnknownResource',
      });
      await (await client.run('shop_daily', { date: DAY, targets: ['source/purchases'] })).result();
      expect(await client.versions('totals')).toEqual([]);
      expect(await failure((await start(made.project, { featureSet: 'totals' })).result())).toMatchObject({
        type: 'RollbackRefused',
        message: expect.stringMatching(/totals has no version yet/) as string,
      });
      await (await client.run('shop_daily', { date: DAY })).result();
      expect(await failure((await start(made.project, { featureSet: 'totals' })).result())).toMatchObject({
        type: 'RollbackRefused',
        message: expect.stringMatching(/no earlier version of its newest interval 2026-01-02/) as string,
      });
    });
  });
});
