import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { disturbedRun, undisturbedRun, type Disturbance } from './disturbed-run.js';
import { createWorld, type World } from './world.js';

export interface FaultCase {
  readonly title: string;
  readonly disturbance: (world: World) => Disturbance;
}

/** Runs two days with each fault in the first: what is left must equal what an undisturbed run leaves. */
export function faultSuite(
  name: string,
  cases: readonly FaultCase[],
  options: {
    /** Servers of this file's own, which its faults may kill: then one after the other. */
    readonly servers?: () => Promise<AsyncDisposable>;
  } = {},
): void {
  let servers: AsyncDisposable | undefined;
  let world: World;
  let undisturbed: object;
  beforeAll(async () => {
    servers = await options.servers?.();
    world = await createWorld();
    ({ left: undisturbed } = await undisturbedRun(world));
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await servers?.[Symbol.asyncDispose]();
  });

  describe(name, { concurrent: options.servers === undefined }, () => {
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
