import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuildContext, Overlap } from '../../definitions/index.js';
import { Timestamp } from '../../definitions/index.js';
import { totalsOf } from '../fixtures/shop.js';
import { until } from '../support/until.js';
import { withSchedules, type Scheduled } from '../support/with-schedules.js';
import { createWorld, type World } from '../support/world.js';

/** What Temporal does at a tick by each policy that a definition may name. */
let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const YEARS = { schedule: { cron: '0 0 1 1 *' }, startDate: '2001-01-01', retries: { max: 0 } };
const soon = { timeoutMs: 40_000 };

/** Builds wait while the file `hold` is there, and fail while `fail` is. */
const gated = (folder: string) => ({
  totals: totalsOf({
    build: async function* ({ interval, signal }: BuildContext) {
      while (existsSync(join(folder, 'hold'))) {
        signal.throwIfAborted();
        await sleep(20);
      }
      if (existsSync(join(folder, 'fail'))) throw new Error('not this year');
      yield { user_id: 1n, event_timestamp: Timestamp.from(interval.end), total: 1, n: 1n };
    },
  }),
});

/** Has the schedule fire for the year's first instant by its own overlap policy, as the clock would. */
const tick = ({ name }: Scheduled, year: number): Promise<unknown> =>
  world.temporal.workflowService.patchSchedule({
    namespace: 'default',
    scheduleId: `${name}_dev/yearly`,
    requestId: randomUUID(),
    patch: { triggerImmediately: { scheduledTime: msToTs(Date.UTC(year, 0, 1)) } },
  });

/** Each run by the year of its interval: `2001 COMPLETED`. */
const years = async ({ runs }: Scheduled): Promise<string[]> =>
  (await runs().catch(() => [])).map((line) => line.replace(/-\S+/, ''));

describe('a tick while the run of another is open', () => {
  it.each<{ overlap?: Overlap; meanwhile: string[]; afterwards: string[]; skipped: number }>([
    { meanwhile: ['2001 RUNNING'], afterwards: ['2001 COMPLETED'], skipped: 2 },
    { overlap: 'skip', meanwhile: ['2001 RUNNING'], afterwards: ['2001 COMPLETED'], skipped: 2 },
    {
      overlap: 'bufferOne',
      meanwhile: ['2001 RUNNING'],
      afterwards: ['2001 COMPLETED', '2002 COMPLETED'],
      skipped: 1,
    },
    {
      overlap: 'bufferAll',
      meanwhile: ['2001 RUNNING'],
      afterwards: ['2001 COMPLETED', '2002 COMPLETED', '2003 COMPLETED'],
      skipped: 0,
    },
    {
      overlap: 'allowAll',
      meanwhile: ['2001 RUNNING', '2002 RUNNING', '2003 RUNNING'],
      afterwards: ['2001 COMPLETED', '2002 COMPLETED', '2003 COMPLETED'],
      skipped: 0,
    },
  ])(
    'by overlap $overlap',
    async ({ overlap, meanwhile, afterwards, skipped }) => {
      const schedule = { ...YEARS.schedule, ...(overlap === undefined ? {} : { overlap }) };
      await withSchedules(
        world,
        { yearly: { ...YEARS, schedule } },
        async (scheduled) => {
          const { client, folder } = scheduled;
          await writeFile(join(folder, 'hold'), '');
          await tick(scheduled, 2002);
          await until('the first run builds', async () => (await years(scheduled)).length === 1, soon);
          await tick(scheduled, 2003);
          await tick(scheduled, 2004);
          await until(
            'the others have begun or were skipped',
            async () =>
              (await years(scheduled)).join() === meanwhile.join() &&
              (await client.schedules.describe('yearly')).counts.skipped === skipped,
            soon,
          );
          await rm(join(folder, 'hold'));
          await until(
            'all have ended',
            async () => (await years(scheduled)).join() === afterwards.join(),
            soon,
          ).catch(() => undefined);
          expect(await years(scheduled)).toEqual(afterwards);
          expect((await client.schedules.describe('yearly')).counts.skipped).toBe(skipped);
        },
        gated,
      );
    },
    120_000,
  );

  it('by overlap cancelOther cancels it, and then runs', async () => {
    await withSchedules(
      world,
      { yearly: { ...YEARS, schedule: { ...YEARS.schedule, overlap: 'cancelOther' } } },
      async (scheduled) => {
        const { folder } = scheduled;
        await writeFile(join(folder, 'hold'), '');
        await tick(scheduled, 2002);
        await until('the first run builds', async () => (await years(scheduled)).length === 1, soon);
        await tick(scheduled, 2003);
        await until(
          'the second run builds',
          async () => (await years(scheduled)).join() === '2001 CANCELLED,2002 RUNNING',
          soon,
        );
        await rm(join(folder, 'hold'));
        await until(
          'it ends',
          async () => (await years(scheduled)).join() === '2001 CANCELLED,2002 COMPLETED',
          soon,
        );
      },
      gated,
    );
  });
});

describe('a run that fails', () => {
  it.each<[boolean, Overlap]>([
    [true, 'skip'],
    [true, 'cancelOther'],
    [true, 'bufferAll'],
    [false, 'skip'],
  ])(
    'with pauseOnFailure %s and overlap %s',
    async (pauseOnFailure, overlap) => {
      await withSchedules(
        world,
        { yearly: { ...YEARS, schedule: { ...YEARS.schedule, overlap, pauseOnFailure } } },
        async (scheduled) => {
          const { client, folder } = scheduled;
          await client.schedules.resume('yearly');
          await writeFile(join(folder, 'fail'), '');
          await tick(scheduled, 2002);
          await until('it fails', async () => (await years(scheduled)).join() === '2001 FAILED', soon);
          // Whether Temporal has taken notice is told by what follows: another tick, which is one of a person's and runs in any case.
          await rm(join(folder, 'fail'));
          await until(
            'Temporal knows of its end',
            async () => (await client.schedules.describe('yearly')).recent[0]?.status === 'FAILED',
            soon,
          );
          const state = async () => (await client.schedules.list())[0];
          if (pauseOnFailure) {
            await until('it is paused', async () => (await state())?.state === 'paused', soon);
            expect((await state())?.note).toMatch(/failure/i);
            // An apply leaves that pause as well.
            expect((await client.schedules.apply())[0]).toMatchObject({
              action: 'unchanged',
              paused: { note: expect.stringMatching(/failure/i) as unknown },
            });
          }
          await tick(scheduled, 2003);
          await until(
            'the next one ends',
            async () => (await years(scheduled)).join() === '2001 FAILED,2002 COMPLETED',
            soon,
          );
          expect((await state())?.state).toBe(pauseOnFailure ? 'paused' : 'active');
        },
        gated,
      );
    },
    120_000,
  );
});
