import { execFile } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresOnline } from '../fixtures/shop.js';
import { failureOf } from '../support/failure.js';
import {
  DAY,
  declared,
  latest,
  makeSecond,
  ONLINE,
  online,
  onlineAs,
  variants,
} from '../support/promoted.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

describe.each([
  ['Redis', {}],
  ['Postgres', { online: postgresOnline() }],
])('promoting a variant, online in %s', (_, options) => {
  it('changes nothing that readers see before, then everything; and back', async () => {
    const { first, both } = await declared(world, options);
    await world.withWorker(both, async (client) => {
      expect(await online(both)).toEqual(ONLINE.first);
      await makeSecond(client);
      expect(await online(both)).toEqual(ONLINE.first);

      await (await client.promote('view/totals', { variant: 'v2', reason: 'sums twice' })).result();
      expect(await online(both)).toEqual(ONLINE.second);
      // Whoever names the variant before (a training set pins it) finds it under its new name.
      expect(await onlineAs(both, 'v1')).toEqual(ONLINE.first);
      expect(await variants(world, both)).toMatchObject([
        { id: 'source/totals.v1', location: 'totals', is_default: true },
        { id: 'source/totals.v2', location: 'totals_v2', is_default: false },
        { id: 'view/totals.v1', location: 'totals_v1', is_default: false, promotion: 1 },
        { id: 'view/totals.v2', location: 'totals', is_default: true, promotion: 2 },
      ]);

      const before = await latest(first, 'totals');
      const next = await latest(first, 'totals_v2');
      expect(next).not.toBe(before);
      await (await client.promote('source/totals', { variant: 'v2' })).result();
      expect(await latest(first, 'totals')).toBe(next);

      // The variant that was the default goes on beside it, and disturbs nothing.
      await (await client.run('shop_daily', { date: DAY, rebuild: true })).result();
      expect(await latest(first, 'totals')).toBe(next);
      expect(await latest(first, 'totals_v1')).toBe(before);
      expect(await online(both)).toEqual(ONLINE.second);

      await (await client.promote('view/totals', { previous: true })).result();
      await (await client.promote('source/totals', { previous: true })).result();
      expect(await online(both)).toEqual(ONLINE.first);
      expect(await onlineAs(both, 'v2')).toEqual([ONLINE.second[0], null]);
      expect(await latest(first, 'totals')).toBe(before);
      expect(
        await world.registry(
          both,
          `SELECT target, detail->>'reason' AS reason FROM {schema}.audit WHERE action = 'promote' ORDER BY id`,
        ),
      ).toEqual([
        { target: 'view/totals.v2', reason: 'sums twice' },
        { target: 'source/totals.v2', reason: null },
        { target: 'view/totals.v1', reason: null },
        { target: 'source/totals.v1', reason: null },
      ]);
    });
  }, 180_000);
});

it('a promotion that is refused says why, and changes nothing', async () => {
  const { both } = await declared(world);
  const cases = [
    ['totals', { variant: 'v2' }, 'InvalidInput', /names source\/totals and view\/totals/],
    ['view/nope', { variant: 'v2' }, 'UnknownResource', /there is no .* "view\/nope"/],
    ['view/totals', { variant: 'v9' }, 'UnknownResource', /no variant "v9". Other variants: v2/],
    ['view/totals', { variant: 'v1' }, 'PromotionRefused', /v1 is the default variant of totals already/],
    ['view/totals', { previous: true }, 'PromotionRefused', /was never promoted/],
    [
      'view/totals',
      { variant: 'v2' },
      'PromotionRefused',
      /is not fresh: it is made up to 2026-01-01, and the default view\/totals.v1 up to 2026-01-02/,
    ],
  ] as const;
  await world.withWorker(both, async (client) => {
    await (await client.run('shop_daily', { date: '2026-01-01', targets: ['view/totals.v2'] })).result();
    const before = await variants(world, both);
    for (const [name, options, code, message] of cases) {
      const failure = await failureOf((await client.promote(name, options)).result());
      expect(failure.type).toBe(code);
      expect(failure.message).toMatch(message);
    }
    expect(await variants(world, both)).toEqual(before);
    expect(await online(both)).toEqual(ONLINE.first);
  });
});

it('a promotion stands where the variant before cannot be loaded any more, and its run fails with the cause', async () => {
  const { both, first } = await declared(world);
  await world.withWorker(both, async (client) => {
    await makeSecond(client);
    for (const folder of await readdir(join(first.lake, 'totals')))
      await rm(join(first.lake, 'totals', folder), { recursive: true });
    const failure = await failureOf((await client.promote('view/totals', { variant: 'v2' })).result());
    expect(failure.message).toMatch(/view\/totals\.v1: /);
    expect(await online(both)).toEqual(ONLINE.second);
    expect(await onlineAs(both, 'v1')).toEqual([null, null]);
  });
});

it('granary promote says what is the default now, and refuses in words', async () => {
  const { both, name, folder } = await declared(world);
  const granary = (...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        ['cli/granary.cjs', 'promote', ...args, '--project', 'test/fixtures/promoted-project.ts'],
        { env: { ...process.env, SHOP_NAME: name, SHOP_FOLDER: folder } },
        (error, stdout, stderr) => resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  await world.withWorker(both, async (client) => {
    await makeSecond(client);
    const done = await granary('view/totals', 'v2');
    expect(done).toMatchObject({ status: 0 });
    expect(done.stdout).toMatch(
      /^view\/totals.v2 is the default now.\nOnline: 2 entities in redis at .*; what only the other variant had is gone.\nview\/totals.v1, the default before, is loaded under its new name: 3 entities.\n$/,
    );
    const refused = await granary('view/totals', 'v2');
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(
      /granary: v2 is the default variant of totals already.*\[PromotionRefused\]/,
    );
    expect((await granary('view/totals')).stderr).toMatch(/Give either a variant or --previous/);
  });
});
