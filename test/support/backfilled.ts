import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { daily } from '../fixtures/disturbed.js';
import { randomOf } from './calendar.js';
import { createRig, watchedIn, type Rig } from './disturbed-run.js';
import { expectNothingOpen } from './nothing-open.js';
import { probeReaders } from './reader-probe.js';
import type { WorkerProcess } from './worker-process.js';
import type { World } from './world.js';

const DAY_MS = 86_400_000;
const END = Date.parse('2001-07-01T00:00:00Z');

const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** What the last days of June 2001 leave when each is a run of its own, in the order of the calendar. */
export async function dailyRuns(world: World, days: number): Promise<object> {
  await using rig = await createRig(world, 'local');
  await using _worker = await rig.worker();
  for (let day = days; day > 0; day--) {
    const run = await rig.client.run(daily, { date: dateOf(END - day * DAY_MS) });
    await run.result();
  }
  return await rig.snapshot();
}

/** How those days are backfilled. */
export interface Backfilled {
  readonly days: number;
  readonly concurrency: number;
  /** How often the worker is killed, and how often a backfill is cancelled and another one started; at moments that the seed decides. */
  readonly kills: number;
  readonly cancels: number;
  readonly seed: number;
}

/**
 * What the same days leave when backfills make them, beside readers that watch. However often they are cut off, in the end every interval was made.
 */
export async function backfilledDays(
  world: World,
  { days, concurrency, kills, cancels, seed }: Backfilled,
): Promise<object> {
  const random = randomOf(seed);
  await using rig = await createRig(world, 'local');
  let worker = await rig.worker();
  try {
    await using probe = await probeReaders(world, watchedIn(rig));
    const start = () =>
      rig.client.backfill({
        pipeline: daily.name,
        from: dateOf(END - days * DAY_MS),
        to: dateOf(END),
        concurrency,
      });
    for (let n = 0; n < cancels; n++) {
      const handle = await start();
      await moment(rig, handle.name, random, days);
      await rig.client.backfills.cancel(handle.name).catch(ifEnded);
      const end = await handle.result();
      expect(['CANCELLED', 'COMPLETED']).toContain(end.status);
      expect(end.intervals.running).toBe(0);
      await expectNothingOpen(world, rig.project, rig.lake);
    }
    const handle = await start();
    const ended = handle.result();
    const at = Array.from({ length: kills }, () => Math.floor(random() * days)).sort((a, b) => a - b);
    for (const done of at) {
      await untilMade(rig, handle.name, done);
      await sleep(random() * 1500);
      worker = await replaced(rig, worker);
    }
    const end = await ended;
    expect(end).toMatchObject({ status: 'COMPLETED', intervals: { failed: 0, cancelled: 0, waiting: 0 } });
    await probe.verify();
    return await rig.snapshot();
  } finally {
    await worker.signal('SIGKILL');
  }
}

async function replaced(rig: Rig, worker: WorkerProcess): Promise<WorkerProcess> {
  await worker.signal('SIGKILL');
  return await rig.worker();
}

/** A moment in a backfill: once some intervals were made, and a while. */
async function moment(rig: Rig, name: string, random: () => number, days: number): Promise<void> {
  await untilMade(rig, name, Math.floor(random() * Math.min(2, days)));
  await sleep(random() * 1500);
}

async function untilMade(rig: Rig, name: string, intervals: number): Promise<void> {
  for (;;) {
    const { endedAt, intervals: counts, plan } = await rig.client.backfills.status(name);
    if (endedAt !== undefined || (plan && counts.completed >= intervals)) return;
    await sleep(50);
  }
}

const ifEnded = (error: unknown): void => {
  if (!(error instanceof Error && error.message.includes('has ended'))) throw error;
};
