import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CRASH_POINTS } from '../../activities/crash-points.js';
import { killedRun, undisturbedRun } from '../support/killed-run.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
let undisturbed: object;
beforeAll(async () => {
  world = await createWorld();
  undisturbed = await undisturbedRun(world);
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

describe.concurrent('a worker killed at any crash point', () => {
  it.each(CRASH_POINTS)(
    '%s: what is left is what an undisturbed run leaves',
    async (point) => {
      const { left } = await killedRun(world, point);
      expect(left).toEqual(undisturbed);
    },
    240_000,
  );
});
