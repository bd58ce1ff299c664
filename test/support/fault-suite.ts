import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { disturbedRun, undisturbedRun, type Disturbance } from './disturbed-run.js';
import { createWorld, type World } from './world.js';

export interface FaultCase {
  readonly title: string;
  readonly disturbance: (world: World) => Disturbance;
}

/** Runs two days with each fault in the first: what is left must equal what an undisturbed run leaves. */
export function faultSuite(name: string, cases: readonly FaultCase[]): void {
  let world: World;
  let undisturbed: object;
  beforeAll(async () => {
    world = await createWorld();
    ({ left: undisturbed } = await undisturbedRun(world));
  }, 120_000);
  afterAll(() => world[Symbol.asyncDispose]());

  describe.concurrent(name, () => {
    it.each(cases.map((each) => [each.title, each] as const))(
      '%s',
      async (_title, { disturbance }) => {
        const { left } = await disturbedRun(world, disturbance(world));
        expect(left).toEqual(undisturbed);
      },
      300_000,
    );
  });
}
