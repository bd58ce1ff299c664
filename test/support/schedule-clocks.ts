import { randomBytes } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { expect } from 'vitest';
import { wantedSchedules } from '../../client/schedule-spec.js';
import type { PipelineSpec } from '../../definitions/contract.js';
import { dueIntervals } from '../../definitions/due-intervals.js';
import type { Interval } from '../../definitions/interval.js';
import { intervalsBetween } from '../../definitions/ticks.js';

/** A pipeline of which only the schedule matters. */
export const ticking = (cron: string, timezone: string, startDate: string): PipelineSpec => ({
  name: 'p',
  targets: [],
  schedule: { cron, timezone },
  startDate,
  retries: { max: 0, delay: '1s' },
  about: {},
});

/** The times at which Temporal would start runs of a pipeline, by its own word. */
export async function firings(
  client: Client,
  pipeline: PipelineSpec,
  from: string,
  to: string,
): Promise<string[]> {
  const scheduleId = `clocks-${randomBytes(6).toString('hex')}`;
  const [wanted] = wantedSchedules({ project: 'clocks', environment: 'dev' }, 'none', pipeline);
  if (!wanted) throw new Error('no schedule');
  const handle = await client.schedule.create({ ...wanted, scheduleId, state: { paused: true } });
  try {
    const seconds = (text: string): { seconds: never } => ({ seconds: (Date.parse(text) / 1000) as never });
    const { startTime } = await client.workflowService.listScheduleMatchingTimes({
      namespace: 'default',
      scheduleId,
      startTime: seconds(from),
      endTime: seconds(to),
    });
    expect(startTime.length).toBeLessThan(1000); // or the answer was cut
    return startTime.map((at) => new Date(Number(at.seconds) * 1000).toISOString());
  } finally {
    await handle.delete();
  }
}

const named = ({ start, end }: Interval): string => `${start}/${end}`;

/** How often each interval is made, when every firing has a run and every run makes what is due. */
function madeBy(pipeline: PipelineSpec, times: readonly string[]): Map<string, number> {
  const made = new Map<string, number>();
  for (const time of times)
    for (const { interval, when } of dueIntervals(pipeline, time, time)) {
      const key = named(interval);
      if (when === 'always' || !made.has(key)) made.set(key, (made.get(key) ?? 0) + 1);
    }
  return made;
}

/**
 * Holds what Temporal's scheduler would fire against our ticks: each interval of each cron expression is due in exactly one of the runs, as long as
 * each makes what is due.
 */
export async function checkClocks(
  client: Client,
  zone: string,
  [from, to]: readonly [string, string],
  crons: readonly string[],
): Promise<void> {
  await Promise.all(
    crons.map(async (cron) => {
      const pipeline = ticking(cron, zone, from);
      const times = await firings(client, pipeline, `${from}T00:00:00Z`, `${to}T12:00:00Z`);
      const made = madeBy(pipeline, times);
      const expected = intervalsBetween(pipeline.schedule, pipeline, from, times.at(-1) ?? from).map(named);
      expect([cron, [...made.keys()].sort()]).toEqual([cron, [...expected].sort()]);
      expect([cron, [...made].filter(([, n]) => n !== 1)]).toEqual([cron, []]);
    }),
  );
}
