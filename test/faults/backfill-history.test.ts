import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { chainOf } from '../../bench/backfill/chain.js';
import { MOST_AT_ONCE } from '../../definitions/backfill.js';
import { ticking } from '../fixtures/ticking.js';
import { createWorld } from '../support/world.js';

/** Temporal warns from the first of each, and ends a run at the second. */
const EVENTS = { warning: 10_240, end: 51_200 };
const BYTES = { warning: 10 * 2 ** 20, end: 50 * 2 ** 20 };
const DAYS = 210;

// `npm run bench -- backfill` counts the same over ten years of days.
it('a backfill continues as new, so that however many intervals it has, no run of it comes near the limits of Temporal', async () => {
  await using world = await createWorld();
  const folder = join(world.folder, 'a');
  await mkdir(folder, { recursive: true });
  const project = ticking(world.name, folder, { startDate: '2001-01-01' });
  await world.withWorker(project, async (client) => {
    const to = new Date(Date.parse('2001-01-01') + DAYS * 86_400_000).toISOString();
    const handle = await client.backfill({ from: '2001-01-01', to, concurrency: 8 });
    expect(await handle.result()).toMatchObject({ status: 'COMPLETED', intervals: { completed: DAYS } });
    const runs = await chainOf(world.temporal, handle.workflowId);
    expect(runs.length).toBeGreaterThan(1);
    const [events, bytes] = (['events', 'bytes'] as const).map((key) => runs.map((run) => run[key]));
    const most = (values: readonly number[] = []): number => Math.max(...values);
    const sum = (values: readonly number[] = []): number => values.reduce((a, b) => a + b, 0);
    expect(most(events)).toBeLessThan(EVENTS.warning / 2);
    expect(most(bytes)).toBeLessThan(BYTES.warning / 2);
    // What is in flight when a run has become long still ends in it.
    expect(most(events) + (MOST_AT_ONCE * sum(events)) / DAYS).toBeLessThan(EVENTS.end / 4);
    expect(most(bytes) + (MOST_AT_ONCE * sum(bytes)) / DAYS).toBeLessThan(BYTES.end / 4);
  });
}, 400_000);
