import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { caller } from '../../client/caller.js';
import { shop } from '../fixtures/shop.js';
import { commandHere } from '../support/command-here.js';
import { expectGolden, settled } from '../support/golden.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

it('granary schedule says how schedules stand: before an apply, after it, paused, resumed and deleted', async () => {
  const name = `s${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  world.uses((await shop(name, folder)).project);
  let said = '';
  const command = async (words: string, ...more: string[]): Promise<void> => {
    const args = [...words.split(' '), ...more, '--project', 'test/fixtures/shop-project.ts'];
    const { status, stdout, stderr } = await commandHere({ SHOP_NAME: name, SHOP_FOLDER: folder }, ...args);
    expect(status, stderr).toBe(0);
    said += `$ granary ${words}${more.map((each) => ` "${each}"`).join('')}\n${stdout}${stderr}\n`;
  };
  try {
    await command('schedule list');
    await command('schedule apply');
    await command('schedule apply');
    await command('schedule list');
    await command('schedule describe shop_daily');
    await command('schedule pause shop_daily --reason', 'the source moves');
    await command('schedule list');
    await command('schedule describe shop_daily');
    await command('schedule list --json');
    await command('schedule resume shop_daily');
    await command('schedule delete shop_daily');
    await command('schedule list');
  } finally {
    await world.temporal.schedule
      .getHandle(`${name}_dev/shop_daily`)
      .delete()
      .catch(() => undefined);
  }
  await expectGolden('schedules', settled(said, { [name]: 'SHOP', [caller()]: '<user>' }));
});
