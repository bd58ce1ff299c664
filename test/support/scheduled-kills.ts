import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient, type RunResult } from '../../client/index.js';
import type { Project } from '../../definitions/index.js';
import { scheduledShop } from '../fixtures/scheduled.js';
import { SALES, writeSales } from '../fixtures/shop.js';
import { snapshot } from './snapshot.js';
import { atTick } from './ticks.js';
import { startWorkerProcess, type Armed, type WorkerProcess } from './worker-process.js';
import { createWorld, type World } from './world.js';

/** A window that reaches back to before the first interval, whatever the year: the run at the last tick makes all three days. */
const PIPELINES = {
  daily: {
    startDate: '2026-01-01',
    endDate: '2026-01-04',
    schedule: { cron: '0 0 * * *', catchup: '36500d' },
    retries: { max: 0 },
  },
} as const;
const DAYS = ['2026-01-01', '2026-01-02', '2026-01-03'];
const LAST = '2026-01-04T00:00:00Z';
const ROWS = `${SALES} UNION ALL SELECT 2::BIGINT, TIMESTAMP '2026-01-03 15:00:00', 40.0::DOUBLE`;

interface Place {
  readonly project: Project;
  worker(armed?: Armed): Promise<WorkerProcess>;
  left(): Promise<object>;
}

let world: World;

async function place(): Promise<Place> {
  const name = `p${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  await writeSales(folder, ROWS);
  const { project, lake } = scheduledShop(name, folder, PIPELINES, { training: true });
  world.uses(project);
  const env = {
    SCHEDULED_NAME: name,
    SCHEDULED_FOLDER: folder,
    SCHEDULED_PIPELINES: JSON.stringify(PIPELINES),
    SCHEDULED_TRAINING: 'yes',
  };
  return {
    project,
    worker: (armed) =>
      startWorkerProcess({
        project: 'test/fixtures/scheduled-project.ts',
        env,
        ...(armed === undefined ? {} : { armed }),
      }),
    left: async () => ({
      ...(await snapshot(world, project, lake, ['totals', 'purchases', 'training_sets/large_purchases'])),
      runs: await world.registry(
        project,
        'SELECT interval_start::text AS start, status FROM {schema}.runs ORDER BY interval_start, started_at',
      ),
    }),
  };
}

/** Has the schedule fire at the last tick, and resolves to what its run returns. */
async function fire({ project }: Place): Promise<{ result(): Promise<RunResult> }> {
  const handle = await atTick(
    world,
    `granary-${project.name}-dev`,
    'pipeline',
    [{ pipeline: 'daily' }],
    LAST,
  );
  return { result: async () => (await handle.result()) as RunResult };
}

/** Three days by hand, each a run of its own. */
async function dailyRuns(): Promise<object> {
  const at = await place();
  const client = await GranaryClient.connect({ project: at.project });
  try {
    await using _worker = await at.worker();
    for (const date of DAYS) await (await client.run('daily', { date })).result();
    return await at.left();
  } finally {
    await client.close();
  }
}

/** What one run of three parts passes, by part. */
async function passedByPart(): Promise<readonly (readonly string[])[]> {
  const at = await place();
  await using worker = await at.worker({ point: '*', action: 'wait' });
  await (await fire(at)).result();
  const parts: string[][] = [];
  for (const point of await worker.told('run.after-end')) {
    if (point === 'run.before-begin') parts.push([]);
    parts.at(-1)?.push(point);
  }
  return parts;
}

/** What each day of such a run passes. */
export const DAY_POINTS = [
  'run.before-begin',
  'run.after-begin',
  'claim.before-own',
  'claim.after-own',
  'claim.after-pin',
  'build.before-stage',
  'build.after-stage',
  'transform.before-stage',
  'transform.after-stage',
  'training-set.before-stage',
  'training-set.after-stage',
  'facts.before-note',
  'facts.after-note',
  'store.before-commit',
  'store.after-commit',
  'store.mid-publish',
  'store.after-publish',
  'store.before-latest',
  'store.mid-latest',
  'store.after-latest',
  'stage.before-stage',
  'stage.after-stage',
  'load.before-check',
  'load.before-receipt',
  'load.before-record',
  'load.after-record',
  'run.before-end',
  'run.after-end',
] as const satisfies readonly CrashPoint[];

/** Kills the worker of a scheduled run of three days within the second one, at each of these points. */
export function scheduledKills(points: readonly (typeof DAY_POINTS)[number][]): void {
  let undisturbed: object;
  let parts: readonly (readonly string[])[];
  beforeAll(async () => {
    world = await createWorld();
    undisturbed = await dailyRuns();
    parts = await passedByPart();
  }, 240_000);
  afterAll(() => world[Symbol.asyncDispose]());

  it('a scheduled run of three days passes the same points in each', () => {
    expect(parts.length).toBe(3);
    expect([...new Set(parts[1])].sort()).toEqual([...DAY_POINTS].sort());
  });

  describe('a scheduled run of three days whose worker is killed in the second at', () => {
    it.each(points)(
      '%s: each is made once, as daily runs make them',
      async (point) => {
        const before = parts[0]?.filter((passed) => passed === point).length ?? 0;
        const at = await place();
        await using worker = await at.worker({ point: `${point}:${before + 1}`, action: 'wait' });
        const run = await fire(at);
        await worker.told(point);
        await worker.signal('SIGKILL');
        await using _next = await at.worker();
        const { intervals } = await run.result();
        expect(intervals?.map(({ interval }) => interval.start.slice(0, 10))).toEqual(DAYS);
        expect(await at.left()).toEqual(undisturbed);
      },
      180_000,
    );
  });
}
