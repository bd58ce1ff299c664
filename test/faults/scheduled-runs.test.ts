import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../client/index.js';
import type { BuildContext, PipelineOptions } from '../../definitions/index.js';
import { Timestamp } from '../../definitions/index.js';
import { totalsOf } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { failureOf } from '../support/failure.js';
import { withSchedules, type Scheduled } from '../support/with-schedules.js';
import { createWorld, type World } from '../support/world.js';

/** Runs that Temporal's schedules start, each at a time that the test says. */
let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A shop whose build fails for the intervals of which a file `fail-<start>` lies in its folder, and counts what it builds. */
const gated = (folder: string) =>
  totalsOf({
    build: async function* ({ interval }: BuildContext) {
      await Promise.resolve();
      if (existsSync(join(folder, `fail-${interval.start.slice(0, 10)}`))) throw new Error('not today');
      const at = Timestamp.from(interval.end);
      yield { user_id: 1n, event_timestamp: at, total: 1, n: 1n };
    },
  });

/** A schedule of one pipeline, `daily`. */
const withSchedule = (
  over: Partial<PipelineOptions>,
  work: (scheduled: Scheduled) => Promise<void>,
  totals?: (folder: string) => ReturnType<typeof totalsOf>,
): Promise<void> =>
  withSchedules(
    world,
    { daily: { retries: { max: 0 }, ...over } },
    work,
    totals ? (folder) => ({ totals: totals(folder) }) : undefined,
  );

const starts = (result: RunResult): string[] =>
  (result.intervals ?? [{ interval: result.interval }]).map(({ interval }) => interval.start);

describe('around a change of clocks', () => {
  it('a local time that is skipped is made up for by the next run', async () => {
    const schedule = { cron: '30 2 * * *', timezone: 'Europe/Prague' };
    await withSchedule({ schedule, startDate: '2026-03-27' }, async ({ fire, runs }) => {
      const before = await fire('2026-03-28T01:30:00Z');
      expect([starts(before), before.steps.length]).toEqual([['2026-03-27T01:30:00Z'], 2]);
      // On the 29th no clock shows 02:30.
      const after = await fire('2026-03-30T00:30:00Z');
      expect(starts(after)).toEqual(['2026-03-28T01:30:00Z', '2026-03-29T01:30:00Z']);
      expect(after.interval).toEqual({ start: '2026-03-29T01:30:00Z', end: '2026-03-30T00:30:00Z' });
      expect(await runs()).toEqual([
        '2026-03-27T01:30:00Z COMPLETED',
        '2026-03-28T01:30:00Z COMPLETED',
        '2026-03-29T01:30:00Z COMPLETED',
      ]);
    });
  });

  it('a local time that comes twice is made once', async () => {
    const schedule = { cron: '30 1 * * *', timezone: 'America/New_York' };
    await withSchedule({ schedule, startDate: '2026-10-31' }, async ({ fire, runs }) => {
      expect(starts(await fire('2026-11-01T05:30:00Z'))).toEqual(['2026-10-31T05:30:00Z']);
      const again = await fire('2026-11-01T06:30:00Z');
      expect(again).toMatchObject({ steps: [], notes: [expect.stringMatching(/^Nothing was due at/)] });
      expect(starts(await fire('2026-11-02T06:30:00Z'))).toEqual(['2026-11-01T05:30:00Z']);
      expect(await runs()).toEqual(['2026-10-31T05:30:00Z COMPLETED', '2026-11-01T05:30:00Z COMPLETED']);
    });
  });

  it('what failed the first time of two is made the second time', async () => {
    const schedule = { cron: '30 1 * * *', timezone: 'America/New_York' };
    await withSchedule(
      { schedule, startDate: '2026-10-31' },
      async ({ fire, folder, runs }) => {
        await writeFile(join(folder, 'fail-2026-10-31'), '');
        await failureOf(fire('2026-11-01T05:30:00Z'));
        await rm(join(folder, 'fail-2026-10-31'));
        expect(starts(await fire('2026-11-01T06:30:00Z'))).toEqual(['2026-10-31T05:30:00Z']);
        expect(await runs()).toEqual(['2026-10-31T05:30:00Z FAILED', '2026-10-31T05:30:00Z COMPLETED']);
      },
      gated,
    );
  });
});

describe('catch-up', () => {
  const bounds = { startDate: '2026-01-01', endDate: '2026-01-06' };

  it('is off by default: a run makes its own interval, whatever was missed', async () => {
    await withSchedule(bounds, async ({ fire, runs }) => {
      await fire('2026-01-02T00:00:00Z');
      await fire('2026-01-05T00:00:00Z');
      expect(await runs()).toEqual(['2026-01-01T00:00:00Z COMPLETED', '2026-01-04T00:00:00Z COMPLETED']);
    });
  });

  it('makes all that is missing in its window, oldest first; a failed one does not stop the others', async () => {
    // A window that reaches back to before the first interval, whatever the year.
    await withSchedule(
      { ...bounds, schedule: { cron: '0 0 * * *', catchup: '36500d' } },
      async ({ client, fire, folder, runs }) => {
        await (await client.run('daily', { date: '2026-01-02' })).result();
        await writeFile(join(folder, 'fail-2026-01-03'), '');
        const failure = await failureOf(fire('2026-01-05T00:00:00Z'));
        expect(failure.type).toBe('BuildFailed');
        expect(failure.message).toMatch(
          /^Of 4 intervals of daily 3 were made, 1 failed\.\n2026-01-03: source\/totals.*not today/s,
        );
        const all = ['01', '02', '03', '04', '05'].map((day) => `2026-01-${day}T00:00:00Z`);
        expect((await runs()).sort()).toEqual(
          all.map((at) => `${at} ${at.startsWith('2026-01-03') ? 'FAILED' : 'COMPLETED'}`),
        );
        await rm(join(folder, 'fail-2026-01-03'));
        // The next run makes its own again if need be, and what is still missing.
        expect(starts(await fire('2026-01-06T00:00:00Z'))).toEqual([
          '2026-01-03T00:00:00Z',
          '2026-01-05T00:00:00Z',
        ]);
      },
      gated,
    );
  });
});

describe('a pipeline that depends on its past', () => {
  const over = { startDate: '2026-01-01', endDate: '2026-01-06', dependsOnPast: true };

  it('makes no interval before the one before it, by schedule or by hand', async () => {
    await withSchedule(over, async ({ client, fire, runs }) => {
      for (const run of [
        () => fire('2026-01-03T00:00:00Z'),
        async () => await (await client.run('daily', { date: '2026-01-02' })).result(),
      ]) {
        const failure = await failureOf(run());
        expect([failure.type, failure.nonRetryable]).toEqual(['PastMissing', true]);
        expect(failure.message).toMatch(
          /daily 2026-01-02 was not begun.*2026-01-01, source\/totals\S+, view\/totals\S+ are not valid.*granary backfill daily --from 2026-01-01T00:00:00Z/,
        );
      }
      expect(await runs()).toEqual([]);
      await fire('2026-01-02T00:00:00Z');
      await fire('2026-01-03T00:00:00Z');
      // What is made already may be made again.
      await (await client.run('daily', { date: '2026-01-02', rebuild: true })).result();
      expect((await runs()).length).toBe(3);
    });
  });

  it('begins none of several after one that failed', async () => {
    await withSchedule(
      { ...over, schedule: { cron: '0 0 * * *', catchup: '36500d' } },
      async ({ fire, folder, runs }) => {
        await writeFile(join(folder, 'fail-2026-01-02'), '');
        const failure = await failureOf(fire('2026-01-03T00:00:00Z'));
        expect(failure.message).toMatch(
          /^Of 5 intervals of daily 1 were made, 1 failed, and 3 were not begun, because the pipeline depends on its past\./,
        );
        expect(await runs()).toEqual(['2026-01-01T00:00:00Z COMPLETED', '2026-01-02T00:00:00Z FAILED']);
      },
      gated,
    );
  });
});

describe('lookback', () => {
  it('makes those of the intervals before anew whose source has got late rows, and leaves the others', async () => {
    await withSchedule({ lookback: 2, endDate: '2026-01-06' }, async ({ fire, folder }) => {
      const totals = async (start: string): Promise<unknown> => {
        const [row] = await query(
          `SELECT sum(total) AS total FROM read_parquet('${folder}/lake/totals/v_*/features.parquet', filename = true) WHERE event_timestamp = TIMESTAMP '${start}' + INTERVAL 1 DAY AND filename LIKE '%' || (SELECT max(f) FROM (SELECT regexp_extract(filename, 'v_[0-9T]+') AS f FROM read_parquet('${folder}/lake/totals/v_*/features.parquet', filename = true) WHERE event_timestamp = TIMESTAMP '${start}' + INTERVAL 1 DAY)) || '%'`,
        );
        return row?.['total'];
      };
      for (const tick of ['2026-01-02', '2026-01-03', '2026-01-04']) await fire(`${tick}T00:00:00Z`);
      expect(await totals('2026-01-02')).toBe(36.5);
      const quiet = await fire('2026-01-05T00:00:00Z');
      expect(quiet.intervals?.map(({ interval, made }) => [interval.start.slice(0, 10), made])).toEqual([
        ['2026-01-02', 0],
        ['2026-01-03', 0],
        ['2026-01-04', 2],
      ]);
      // A row of the 3rd comes late, in a file of its own: every interval that it may belong to is looked at again.
      await query(
        `COPY (SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-03 11:00:00' AS sold_at, 100.0::DOUBLE AS amount) TO '${folder}/raw/sales-late.parquet' (FORMAT parquet)`,
      );
      const late = await fire('2026-01-06T00:00:00Z');
      expect(late.intervals?.map(({ interval }) => interval.start.slice(0, 10))).toEqual([
        '2026-01-03',
        '2026-01-04',
        '2026-01-05',
      ]);
      expect(late.intervals?.every(({ made }) => made > 0)).toBe(true);
      expect([await totals('2026-01-03'), await totals('2026-01-02')]).toEqual([136.5, 36.5]);
    });
  });
});
