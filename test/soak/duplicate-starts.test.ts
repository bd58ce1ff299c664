import { it } from 'vitest';
import { duplicateStarts } from '../support/duplicate-starts.js';
import { createWorld } from '../support/world.js';

it('a hundred days, each started by a schedule, by hand and by another pipeline at one moment, are made once', async () => {
  await using world = await createWorld();
  await duplicateStarts(world, 100);
}, 1_200_000);
