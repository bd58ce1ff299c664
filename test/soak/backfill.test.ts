import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backfilledDays, dailyRuns, type Backfilled } from '../support/backfilled.js';
import { seedOf } from '../support/calendar.js';
import { createWorld, type World } from '../support/world.js';

const seed = seedOf();
const DAYS = 181;

let world: World;
let runs: object;
beforeAll(async () => {
  world = await createWorld();
  runs = await dailyRuns(world, DAYS);
}, 3_600_000);
afterAll(() => world[Symbol.asyncDispose]());

describe(`all 181 days of a backfill leave what 181 daily runs leave (GRANARY_SEED=${seed})`, () => {
  it.each<[string, Pick<Backfilled, 'kills' | 'cancels' | 'concurrency'>]>([
    ['undisturbed', { kills: 0, cancels: 0, concurrency: 4 }],
    ['with ten random kills of the worker', { kills: 10, cancels: 0, concurrency: 4 }],
    ['cancelled twenty times at any moment', { kills: 0, cancels: 20, concurrency: 8 }],
  ])(
    '%s',
    async (_how, how) => {
      expect(await backfilledDays(world, { days: DAYS, seed, ...how })).toEqual(runs);
    },
    3_600_000,
  );
});
