import { join } from 'node:path';
import { expect } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient, type RunResult } from '../../client/index.js';
import { daily } from '../../examples/flights/granary.js';
import { flightsProject } from '../fixtures/flights.js';
import { snapshot } from './snapshot.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';
import type { World } from './world.js';

const DAYS = ['2001-03-03', '2001-03-04'] as const;
const FLAGS = ['--rows-per-group', '500', '--rows-per-shard', '100000'];

const start = (name: string, lake: string, crashPoint?: CrashPoint): Promise<WorkerProcess> =>
  startWorkerProcess({
    project: 'test/fixtures/flights-project.ts',
    env: { GRANARY_TEST_PROJECT: name, FLIGHTS_LAKE: lake },
    flags: FLAGS,
    ...(crashPoint === undefined ? {} : { crashPoint }),
  });

/** What both days leave behind when nothing happens. */
export async function undisturbedRun(world: World): Promise<object> {
  const lake = join(world.folder, 'undisturbed');
  const project = flightsProject(`${world.name}u`, lake);
  await using worker = await start(project.name, lake);
  const client = await GranaryClient.connect({ project });
  for (const date of DAYS) await (await client.run(daily, { date })).result();
  await client.close();
  expect(await worker.signal('SIGTERM')).toBe(0);
  return await snapshot(world, project, lake);
}

/**
 * Runs both days; the worker of the first waits at the crash point and is killed there by pid, another one goes on.
 * `whileWaiting` may await what must have happened before the kill.
 */
export async function killedRun(
  world: World,
  crashPoint: CrashPoint,
  whileWaiting?: (workflowId: string) => Promise<void>,
): Promise<{ left: object; first: RunResult }> {
  const name = `${world.name}${crashPoint.replaceAll(/[^a-z]/g, '')}`;
  const lake = join(world.folder, name);
  const project = flightsProject(name, lake);
  await using doomed = await start(name, lake, crashPoint);
  const client = await GranaryClient.connect({ project });
  try {
    const run = await client.run(daily, { date: DAYS[0] });
    expect(await doomed.atCrashPoint).toBe(crashPoint);
    await whileWaiting?.(run.workflowId);
    await doomed.signal('SIGKILL');
    await using _successor = await start(name, lake);
    const first = await run.result();
    await (await client.run(daily, { date: DAYS[1] })).result();
    return { left: await snapshot(world, project, lake), first };
  } finally {
    await client.close();
  }
}
