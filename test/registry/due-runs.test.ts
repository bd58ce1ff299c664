import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dueRuns } from '../../activities/due-intervals.js';
import type { DueRuns } from '../../activities/messages.js';
import { compile } from '../../definitions/compile.js';
import type { PipelineOptions } from '../../definitions/index.js';
import { ticking } from '../fixtures/ticking.js';
import { ownRegistry } from '../support/registry.js';

const { registry } = ownRegistry();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'granary-due-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const due = async (over: Partial<PipelineOptions>): Promise<DueRuns> =>
  await dueRuns(
    { registry, project: compile(ticking('due', folder, over)) },
    { pipeline: 'ticks_daily', scheduled: '2026-01-20T00:00:00Z' },
  );

const HOURLY = { cron: '0 * * * *', timezone: 'UTC' };

it('a run goes over the whole of its lookback and comes to its own interval, however many there are', async () => {
  const { own, intervals = [] } = await due({ schedule: HOURLY, lookback: 168 });
  expect(own).toEqual({ start: '2026-01-19T23:00:00Z', end: '2026-01-20T00:00:00Z' });
  expect([intervals.length, intervals[0]?.end, intervals.at(-1)]).toEqual([169, '2026-01-13T00:00:00Z', own]);
});

it('a run that has more to catch up with than one run makes begins with the oldest, and says so', async () => {
  const { intervals = [], notes } = await due({
    schedule: { ...HOURLY, catchup: '36500d' },
    endDate: '2026-01-20',
  });
  expect([intervals.length, intervals[0]?.start]).toEqual([100, '2026-01-01T00:00:00Z']);
  expect(notes?.join()).toMatch(/^456 intervals were due, and one run makes 100: the next runs go on/);
});

it('a lookback of more than one run can go over is refused', () => {
  expect(() => ticking('due', folder, { lookback: 201 })).toThrow(/whole number of intervals from 0 to 200/);
});
