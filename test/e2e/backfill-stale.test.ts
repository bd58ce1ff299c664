import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackfillPreview } from '../../client/index.js';
import { ticking } from '../fixtures/ticking.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const DAYS = { pipeline: 'ticks_daily', from: '2026-01-01', to: '2026-01-07' };
const shown = ({ ranges }: BackfillPreview) => ranges.map(({ state, intervals }) => [state, intervals]);

describe('a backfill of days before those that look back on them', () => {
  it('makes these anew as well where it makes what is stale, and else names them with the command that does', async () => {
    const folder = join(world.folder, 'looking');
    await mkdir(folder, { recursive: true });
    const project = ticking(`${world.name}l`, folder, { looking: true });
    await world.withWorker(project, async (client) => {
      await (await client.backfill({ ...DAYS, from: '2026-01-03' })).result();
      const missing = await client.backfills.plan(DAYS);
      expect([shown(missing), missing.plan.selected]).toEqual([
        [
          ['missing', 2],
          ['valid', 4],
        ],
        2,
      ]);
      expect(missing.plan.notes).toEqual([
        '4 intervals, 2026-01-03T00:00:00Z to 2026-01-07T00:00:00Z, read what this makes, and become stale where that is other than before. To make them then: granary backfill ticks_daily --from 2026-01-03T00:00:00Z --to 2026-01-07T00:00:00Z --reprocess stale',
      ]);
      // Of a span that ends before them.
      const part = await client.backfills.plan({ ...DAYS, to: '2026-01-03', reprocess: 'stale' });
      expect([part.plan.selected, part.plan.notes]).toEqual([2, missing.plan.notes]);
      const stale = { ...DAYS, reprocess: 'stale' } as const;
      const all = await client.backfills.plan(stale);
      expect([shown(all), all.plan.selected, all.plan.notes]).toEqual([
        [
          ['missing', 2],
          ['stale', 4],
        ],
        6,
        [],
      ]);
      expect(all.ranges[1]?.reasons).toEqual([
        expect.stringMatching(
          /^source\/sums\.\w+ reads source\/ticks\.\w+ of 2026-01-02, which is made anew$/,
        ),
      ]);
      expect(await (await client.backfill(stale)).result()).toMatchObject({
        status: 'COMPLETED',
        intervals: { completed: 6, failed: 0 },
      });
      const after = await client.backfills.plan(stale);
      expect([shown(after), after.plan.selected]).toEqual([[['valid', 6]], 0]);
    });
  });
});
