import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineSearchAttributeKey } from '@temporalio/common';
import { expect, it } from 'vitest';
import { chainOf } from '../../bench/backfill/chain.js';
import { begun, ticking } from '../fixtures/ticking.js';
import { failureOf } from '../support/failure.js';
import { atTick } from '../support/ticks.js';
import { createWorld } from '../support/world.js';

/** As many intervals before its own as a pipeline may look back on. */
const LOOKBACK = 200;
const TICK = '2001-12-01T00:00:00Z';
/** Temporal warns from so many events. */
const WARNING = 10_240;

it('a scheduled run of very many intervals goes on as a new one: none is lost or made twice, and all are told of in the end', async () => {
  await using world = await createWorld();
  const folder = join(world.folder, 'a');
  await mkdir(folder, { recursive: true });
  const project = ticking(world.name, folder, { startDate: '2001-01-01', lookback: LOOKBACK });
  const own = Date.parse(TICK) - 86_400_000;
  const days = Array.from({ length: LOOKBACK + 1 }, (_, i) =>
    new Date(own - (LOOKBACK - i) * 86_400_000).toISOString().slice(0, 10),
  );
  // In the first run of the chain and in the last.
  const broken = [days[1] ?? '', days.at(-2) ?? ''];
  for (const day of broken) await writeFile(join(folder, `fail-${day}`), '');
  await world.withWorker(project, async (client) => {
    const queue = `granary-${project.name}-dev`;
    const handle = await atTick(world, queue, 'pipeline', [{ pipeline: 'ticks_daily' }], TICK);
    const failure = await failureOf(handle.result());
    expect(failure.message).toMatch(
      new RegExp(
        `^Of 201 intervals of ticks_daily 199 were made, 2 failed\\.\n${broken[0] ?? ''}: .*\n${broken[1] ?? ''}: `,
      ),
    );
    expect((await begun(folder)).sort()).toEqual(days);
    const chain = await chainOf(world.temporal, handle.workflowId);
    expect(chain.length).toBeGreaterThan(1);
    expect(Math.max(...chain.map(({ events }) => events))).toBeLessThan(WARNING / 2);
    // What the first run of the chain knew of its schedule, the last knows, too.
    const last = await handle.describe();
    const tick = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');
    expect(last.typedSearchAttributes.get(tick)).toEqual(new Date(TICK));
    const runs = await client.runs.list({ limit: 1000 });
    expect(new Set(runs.map(({ run }) => run)).size).toBe(days.length);
    expect(runs.map(({ interval }) => interval.start.slice(0, 10)).sort()).toEqual(days);
    expect(runs.filter(({ status }) => status === 'FAILED').length).toBe(2);
    const parts = chain.map(({ runId }) => runs.filter(({ run }) => run.startsWith(runId)).length);
    expect(Math.min(...parts)).toBeGreaterThan(0);
  });
}, 1_200_000);
