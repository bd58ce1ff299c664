import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backfilledDays, dailyRuns, type Backfilled } from '../support/backfilled.js';
import { seedOf } from '../support/calendar.js';
import { createWorld, type World } from '../support/world.js';

const seed = seedOf();
const DAYS = 4;

let world: World;
let runs: object;
beforeAll(async () => {
  world = await createWorld();
  runs = await dailyRuns(world, DAYS);
}, 240_000);
afterAll(() => world[Symbol.asyncDispose]());

// test/soak/backfill.test.ts makes all 181 days so.
describe(`days that backfills made leave what daily runs leave (GRANARY_SEED=${seed})`, () => {
  it.each<[string, Pick<Backfilled, 'kills' | 'cancels'>]>([
    ['undisturbed', { kills: 0, cancels: 0 }],
    ['with a worker that is killed', { kills: 1, cancels: 0 }],
    ['cancelled three times at any moment, and asked for again', { kills: 0, cancels: 3 }],
  ])(
    '%s',
    async (_how, how) => {
      expect(await backfilledDays(world, { days: DAYS, concurrency: 4, seed, ...how })).toEqual(runs);
    },
    300_000,
  );
});
