import { it } from 'vitest';
import { duplicateStarts } from '../support/duplicate-starts.js';
import { createWorld } from '../support/world.js';

// test/soak/duplicate-starts.test.ts does so a hundred times.
it('a day that is started by a schedule, by hand and by another pipeline at one moment is made once', async () => {
  await using world = await createWorld();
  await duplicateStarts(world, 6);
}, 180_000);
