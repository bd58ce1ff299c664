import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { caller } from '../../client/caller.js';
import { shop, type Shop } from '../fixtures/shop.js';
import { expectAgain, seen, spoilt } from '../support/rolled-back.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const me = caller();

const granary = (
  { project }: Shop,
  folder: string,
  ...args: string[]
): Promise<{ status: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      ['cli/granary.cjs', ...args, '--project', 'test/fixtures/shop-project.ts'],
      { env: { ...process.env, SHOP_NAME: project.name, SHOP_FOLDER: folder } },
      (error, stdout, stderr) => {
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
  });

describe('granary rollback', () => {
  it('rolls back, lists the versions with who did what and why, and says what is left to do', async () => {
    const { shop: made, folder, good, bad } = await spoilt(world);
    await world.withWorker(made.project, async () => {
      const done = await granary(made, folder, 'rollback', 'totals', '--reason', 'wrong export');
      expect(done).toMatchObject({ status: 0 });
      expect(done.stdout).toMatch(
        new RegExp(
          `totals for 2026-01-02 is ${good.version} again, committed as v_\\w+ \\(generation 3\\) in place of ${bad.version}`,
        ),
      );
      expect(done.stdout).toMatch(/view\/totals.*3 written, 0 unchanged, 0 older .*; 1 removed/);
      expect(done.stdout).toMatch(/correct them first/);
      expectAgain(await seen(world, made), good);
      const { stdout } = await granary(made, folder, 'rollback', 'totals', '--list');
      expect(stdout.split('\n').slice(2, 5)).toEqual([
        expect.stringMatching(
          new RegExp(`^\\* +3 +v_.*${good.version} in place of ${bad.version}, by ${me}: wrong export$`),
        ),
        expect.stringMatching(new RegExp(`^ +2 +${bad.version} `)),
        expect.stringMatching(new RegExp(`^ +1 +${good.version} `)),
      ]);
      const refused = await granary(made, folder, 'rollback', 'totals', 'v_nope');
      expect(refused).toMatchObject({ status: 1, stdout: '' });
      expect(refused.stderr).toMatch(/granary: totals has no version "v_nope".*\[RollbackRefused\]/);
    });
  });

  it('says that no worker polls instead of waiting for one', async () => {
    const name = `w${randomBytes(5).toString('hex')}`;
    const folder = join(world.folder, name);
    const { status, stderr } = await granary(await shop(name, folder), folder, 'rollback', 'totals');
    expect(status).toBe(3);
    expect(stderr).toMatch(
      /No worker polls the task queue granary-w\w+-dev.*granary worker.*\[ProviderUnreachable\]/,
    );
  });
});
