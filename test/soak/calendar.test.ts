import { describe, it } from 'vitest';
import { calendar, seedOf, type Calendar } from '../support/calendar.js';
import { createWorld } from '../support/world.js';

const seed = seedOf();

describe(`all 181 days, a run each, leave online what a direct computation gives (GRANARY_SEED=${seed})`, () => {
  it.each<[string, Omit<Calendar, 'days' | 'seed'>]>([
    ['in the order of the calendar', { order: 'calendar', kills: 0 }],
    ['shuffled', { order: 'shuffled', kills: 0 }],
    ['with ten random kills', { order: 'calendar', kills: 10 }],
    ['shuffled, with ten random kills', { order: 'shuffled', kills: 10 }],
  ])(
    '%s',
    async (_how, how) => {
      await using world = await createWorld();
      await calendar(world, { days: 181, seed, ...how });
    },
    3_600_000,
  );
});
