import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shop } from '../fixtures/shop.js';
import { commandHere } from '../support/command-here.js';
import { expectGolden, settled } from '../support/golden.js';
import { createWorld, type World } from '../support/world.js';

/** What commands say that cannot do what they were asked for: all of it lies in test/golden/cli, to be read as whoever sees it would. */
let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const FILE = ['--project', 'test/fixtures/shop-project.ts'];
/** Nobody listens there. */
const NOWHERE = '127.0.0.1:1';

const CASES: Readonly<
  Record<string, readonly (readonly [command: string, env?: Readonly<Record<string, string>>])[]>
> = {
  servers: [
    ['run shop_daily', { TEMPORAL_ADDRESS: NOWHERE }],
    ['runs list', { DATABASE_URL: `postgres://granary:hunter2@${NOWHERE}/postgres` }],
    ['list', { DATABASE_URL: `postgres://granary:hunter2@${NOWHERE}/postgres` }],
    ['run shop_daily', { DATABASE_URL: `postgres://granary:hunter2@${NOWHERE}/postgres` }],
    ['schedule list', { TEMPORAL_ADDRESS: NOWHERE }],
  ],
  usage: [
    ['runs list --project nowhere/granary.ts'],
    ['runs list --project package.json'],
    ['runs list --env prod'],
    ['run'],
    ['rnu shop_daily'],
    ['run shop_daily --folow'],
    ['backfill --concurrency many'],
    ['backfill --reprocess some'],
  ],
  names: [
    ['run shop_dialy'],
    ['plan shop_dialy'],
    ['backfill shop_dialy'],
    ['backfill view/total --dry-run'],
    ['schedule describe shop_dialy'],
    ['schedule pause shop_daily'],
    ['runs show 019a3f'],
    ['runs logs last'],
    ['runs retry 019a3f'],
    ['runs cancel pipeline/nope'],
    ['backfill status amazed_volhard'],
    ['backfill status amazed_volhard --follow'],
    ['backfill pause amazed_volhard'],
    ['backfill resume'],
    ['backfill cancel amazed_volhard'],
    ['status amazed_volhard'],
    ['materialize total'],
    ['verify total'],
    ['get view/total'],
    ['features get total user_id=1'],
    ['preview source/total'],
    ['training-set head large'],
    ['delete view/total'],
  ],
};

describe('a command that cannot do what it was asked for', () => {
  it.each(Object.entries(CASES))(
    'says why and what to do, as text and as JSON: %s',
    async (name, cases) => {
      const project = `r${randomBytes(5).toString('hex')}`;
      const folder = join(world.folder, project);
      world.uses((await shop(project, folder)).project);
      let said = '';
      for (const [words, env = {}] of cases) {
        const args = [...words.split(' '), ...(words.includes('--project') ? [] : FILE)];
        const given = { SHOP_NAME: project, SHOP_FOLDER: folder, ...env };
        const text = await commandHere(given, ...args);
        const json = await commandHere(given, ...args, '--json');
        expect(json, words).toMatchObject({ stdout: '', status: text.status });
        const { error } = JSON.parse(json.stderr) as { error: Record<string, unknown> };
        expect(error).toMatchObject({
          code: expect.any(String) as unknown,
          message: expect.any(String) as unknown,
          exitCode: text.status,
        });
        said += `$ granary ${words}\n${text.stdout}${text.stderr}exit status ${text.status}, code ${String(error['code'])}\n\n`;
        expect(text.stderr, words).toBe(`granary: ${String(error['message'])} [${String(error['code'])}]\n`);
      }
      expect(said).not.toContain('hunter2');
      await expectGolden(
        `refused-${name}`,
        settled(said, { [project]: 'SHOP', [`${process.cwd()}/`]: '/home/ada/' }),
      );
    },
    120_000,
  );

  it('says so when there is nothing to show yet', async () => {
    const project = `r${randomBytes(5).toString('hex')}`;
    const folder = join(world.folder, project);
    world.uses((await shop(project, folder)).project);
    let said = '';
    for (const words of [
      'runs list',
      'runs list --status FAILED',
      'backfill status',
      'list',
      'schedule list',
    ]) {
      const text = await commandHere(
        { SHOP_NAME: project, SHOP_FOLDER: folder },
        ...words.split(' '),
        ...FILE,
      );
      expect(text, words).toMatchObject({ status: 0, stderr: '' });
      said += `$ granary ${words}\n${text.stdout}\n`;
    }
    await expectGolden('nothing-yet', settled(said, { [project]: 'SHOP' }));
  });

  it('finds a file that is no project, and says what it lacks', async () => {
    const file = join(world.folder, 'empty.ts');
    await writeFile(file, 'export const project = 1;\n');
    const said = await commandHere({}, 'runs', 'list', '--project', file);
    expect(said).toMatchObject({ status: 2, stdout: '' });
    expect(said.stderr).toMatch(
      /empty\.ts has no default export made by defineProject\. End the file with: /,
    );
  });
});
