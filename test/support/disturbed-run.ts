import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { GranaryClient, type RunResult } from '../../client/index.js';
import type { Project } from '../../definitions/index.js';
import { daily, disturbedProject } from '../fixtures/disturbed.js';
import { lossyTemporal, type LossyTemporal } from './lossy-temporal.js';
import { probeReaders, type Watched } from './reader-probe.js';
import { snapshot } from './snapshot.js';
import { BUCKET } from './s3.js';
import { startWorkerProcess, type Armed, type WorkerProcess } from './worker-process.js';
import { addresses, type World } from './world.js';

/** Longer than any run of these tests takes, with its outage. */
const PATIENCE_MS = 180_000;
const DAYS = ['2001-03-03', '2001-03-04'] as const;
const FLAGS = ['--rows-per-group', '500', '--rows-per-shard', '100000'];

/** A project of a test's own, its worker processes, and what it leaves. */
export interface Rig extends AsyncDisposable {
  readonly project: Project;
  readonly lake: string;
  readonly client: GranaryClient;
  /** Starts a worker process for the project. */
  worker(armed?: Armed, env?: Readonly<Record<string, string>>): Promise<WorkerProcess>;
  start(day: 0 | 1): Promise<{ readonly workflowId: string; result(): Promise<RunResult> }>;
  snapshot(): Promise<object>;
}

/** `files` says where the lake lies: in a folder, or in the tests' bucket. */
export async function createRig(world: World, files: 'local' | 's3'): Promise<Rig> {
  const name = `d${randomBytes(5).toString('hex')}`;
  const lake = files === 's3' ? `s3://${BUCKET}/${name}` : join(world.folder, name);
  const project = disturbedProject(name, lake);
  world.uses(project);
  const client = await GranaryClient.connect({ project });
  return {
    project,
    lake,
    client,
    worker: (armed, env = {}) =>
      startWorkerProcess({
        project: 'test/fixtures/disturbed-project.ts',
        env: { GRANARY_TEST_PROJECT: name, FLIGHTS_LAKE: lake, ...env },
        flags: FLAGS,
        ...(armed === undefined ? {} : { armed }),
      }),
    start: async (day) => await client.run(daily, { date: DAYS[day] }),
    snapshot: () => snapshot(world, project, lake),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

export const watchedIn = ({ project, lake }: Rig): Watched => ({
  project,
  lake,
  folder: 'airport_features',
  view: 'airport',
  joinKey: { name: 'airport', type: 'string' },
  entities: ['ATL', 'ORD', 'DFW', 'LAX', 'SFO', 'ANC', 'JFK', 'ABE', 'BOS', 'SEA'],
});

/** What both days leave behind when nothing happens, and the crash points that they passed. */
export async function undisturbedRun(
  world: World,
): Promise<{ readonly left: object; readonly passed: ReadonlySet<string> }> {
  await using rig = await createRig(world, 'local');
  await using worker = await rig.worker({ point: '*', action: 'wait' });
  await using probe = await probeReaders(world, watchedIn(rig));
  for (const day of [0, 1] as const) await (await rig.start(day)).result();
  const passed = new Set(await worker.told('run.after-end'));
  expect(await worker.signal('SIGTERM')).toBe(0);
  await probe.verify();
  return { left: await rig.snapshot(), passed };
}

/** One fault that befalls the first of two days. */
export interface Disturbance {
  /** Where the lake lies; default: in a folder. */
  readonly files?: 'local' | 's3';
  /** Where the worker of the first day stops; without it, nothing stops it. */
  readonly armed?: Armed;
  /** Sets up what stands between the worker and its servers. */
  readonly prepare?: () => Promise<AsyncDisposable & { readonly env: Readonly<Record<string, string>> }>;
  /** What happens while it stands there; it may start another worker. */
  readonly act?: (
    rig: Rig,
    worker: WorkerProcess,
    run: { workflowId: string },
  ) => Promise<AsyncDisposable | undefined>;
  /** What happens after the second day, before the first worker is killed. */
  readonly afterwards?: (rig: Rig, worker: WorkerProcess) => Promise<void>;
}

/** Runs both days, the first one disturbed, beside readers that watch; what is left, and the first day's result. */
export async function disturbedRun(
  world: World,
  { files, armed, prepare, act, afterwards }: Disturbance,
): Promise<{ readonly left: object; readonly first: RunResult }> {
  await using rig = await createRig(world, files ?? 'local');
  await using between = await prepare?.();
  await using worker = await rig.worker(armed, between?.env);
  await using probe = await probeReaders(world, watchedIn(rig));
  const run = await rig.start(0);
  if (armed) await worker.told(armed.point.split(':')[0] ?? '');
  await using _successor = await act?.(rig, worker, run);
  const first = await endOf(world, worker, run);
  await endOf(world, worker, await rig.start(1));
  await afterwards?.(rig, worker);
  await probe.verify();
  return { left: await rig.snapshot(), first };
}

/** A run's result; one that does not come says what the run waits for. */
async function endOf(
  world: World,
  worker: WorkerProcess,
  run: { readonly workflowId: string; result(): Promise<RunResult> },
): Promise<RunResult> {
  const late = new AbortController();
  try {
    return await Promise.race([
      run.result(),
      sleep(PATIENCE_MS, undefined, { signal: late.signal }).then(async () => {
        const { pendingActivities } = (await world.temporal.workflow.getHandle(run.workflowId).describe())
          .raw;
        const sessions = await world.pg.query('SELECT pid, state, wait_event, query FROM pg_stat_activity');
        throw new Error(
          `${run.workflowId} has not ended: ${JSON.stringify({ pendingActivities, sessions: sessions.rows }, undefined, 1)}\n${worker.log()}`,
        );
      }),
    ]);
  } finally {
    late.abort();
  }
}

/** Kills the worker at the crash point by pid and starts another one. `first` may await what must have happened before. */
export const killedAt = (
  point: Armed['point'],
  first?: (workflowId: string) => Promise<void>,
): Disturbance => ({
  armed: { point, action: 'wait' },
  act: async (rig, worker, { workflowId }) => {
    await first?.(workflowId);
    await worker.signal('SIGKILL');
    return await rig.worker();
  },
});

/**
 * Stops the whole worker process at the crash point, past its time-outs, while another worker finishes both days; then it
 * wakes up and goes on where it stood.
 */
export const asleepAt = (
  point: Armed['point'],
  awake: (rig: Rig, worker: WorkerProcess) => Promise<void>,
): Disturbance => ({
  armed: { point, action: 'stop' },
  act: (rig) => rig.worker(),
  afterwards: async (rig, worker) => {
    await worker.signal('SIGCONT');
    await worker.told(`${point.split(':')[0] ?? ''} resumed`);
    await awake(rig, worker);
    expect(await worker.signal('SIGTERM')).toBe(0);
  },
});

/** Does something to the servers while the worker holds at the crash point, lets it go on, and then something else. */
export const heldAt = (
  world: World,
  point: Armed['point'],
  before: () => Promise<void>,
  after: () => Promise<void>,
): Disturbance => {
  const release = join(world.folder, `release-${randomBytes(5).toString('hex')}`);
  return {
    armed: { point, action: 'hold', release },
    act: async () => {
      await before();
      await writeFile(release, '');
      await after();
      return undefined;
    },
  };
};

/** Loses the server's first acknowledged completion of every kind of activity. */
export const answersLost = (activities: readonly string[]): Disturbance => {
  let proxy: LossyTemporal | undefined;
  return {
    prepare: async () => {
      const made = (proxy = await lossyTemporal(addresses.temporal));
      return {
        env: { TEMPORAL_ADDRESS: made.address },
        [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
      };
    },
    afterwards: async () => {
      expect([...(proxy?.lost ?? [])].sort()).toEqual([...activities].sort());
      return Promise.resolve();
    },
  };
};
