import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient, type ApplyState } from '../../client/index.js';
import type { Project } from '../../definitions/index.js';
import { applied } from '../fixtures/applied.js';
import { writeSales } from '../fixtures/shop.js';
import { until } from './until.js';
import { startWorkerProcess } from './worker-process.js';
import { createWorld, type World } from './world.js';

let world: World;

interface Place {
  readonly project: Project;
  readonly client: GranaryClient;
  readonly worker: Parameters<typeof startWorkerProcess>[0];
  [Symbol.asyncDispose](): Promise<void>;
}

async function place(): Promise<Place> {
  const name = `k${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  await writeSales(folder);
  const project = applied(name, folder);
  world.uses(project);
  const client = await GranaryClient.connect({ project });
  return {
    project,
    client,
    worker: {
      project: 'test/fixtures/applied-project.ts',
      env: { APPLIED_NAME: name, APPLIED_FOLDER: folder },
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

const open = ({ resources }: ApplyState): string[] =>
  resources.filter(({ status }) => status === 'PENDING' || status === 'RUNNING').map(({ id }) => id);

/** What is left in the registry when all is READY: every resource once, each version once. */
async function expectAllMade({ project }: Place): Promise<void> {
  expect(await world.registry(project, `SELECT DISTINCT status FROM {schema}.resources`)).toEqual([
    { status: 'READY' },
  ]);
  expect(
    await world.registry(
      project,
      `SELECT count(*)::int AS n, count(DISTINCT target)::int AS targets FROM {schema}.datasets`,
    ),
  ).toEqual([{ n: 2, targets: 2 }]);
  expect((await world.online(`${project.name}_dev`)).size).toBe(3);
}

/** Kills workers in applies at the points of the one list, and terminates applies at those of the other. */
export function applyKills(killed: readonly CrashPoint[], terminated: readonly CrashPoint[]): void {
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  describe.concurrent('a worker killed in an apply at', () => {
    it.each(killed)(
      '%s: another worker ends it, and everything is READY',
      async (point) => {
        await using at = await place();
        await using doomed = await startWorkerProcess({ ...at.worker, armed: { point, action: 'wait' } });
        const handle = await at.client.apply();
        await doomed.told(point);
        await doomed.signal('SIGKILL');
        await using _successor = await startWorkerProcess(at.worker);
        const state = await handle.result();
        expect(state.resources.filter(({ status }) => status !== 'READY')).toEqual([]);
        expect(state.status).toBe('COMPLETED');
        await expectAllMade(at);
      },
      180_000,
    );
  });

  describe.concurrent('an apply that Temporal terminated at', () => {
    it.each(terminated)(
      '%s: nothing stays PENDING, whoever slept there commits nothing, and applying again makes it all',
      async (point) => {
        await using at = await place();
        const release = join(world.folder, `${at.project.name}.release`);
        await using sleeper = await startWorkerProcess({
          ...at.worker,
          armed: { point: `${point}:1`, action: 'hold', release },
        });
        const handle = await at.client.apply();
        await sleeper.told(point);
        await world.temporal.workflow.getHandle(handle.workflowId).terminate();
        const state = await handle.result();
        expect(state.status).toBe('TERMINATED');
        expect(open(state)).toEqual([]);
        expect(
          state.resources.every(({ status, error }) => status === 'READY' || /apply again/.test(error ?? '')),
        ).toBe(true);
        await using _successor = await startWorkerProcess(at.worker);
        const again = await (await at.client.apply()).result();
        expect(again.resources.filter(({ status }) => status !== 'READY')).toEqual([]);
        await writeFile(release, '');
        // The first apply stays as it was recorded, also once the sleeper has gone on.
        await sleeper.signal('SIGTERM');
        expect((await at.client.applyStatus(handle.run)).status).toBe('TERMINATED');
        await until(
          'no run is open once a reader has asked',
          async () => {
            const left = await world.registry(
              at.project,
              `SELECT run_id FROM {schema}.runs WHERE ended_at IS NULL`,
            );
            for (const { run_id: id } of left) await at.client.status(String(id));
            return left.length === 0;
          },
          { timeoutMs: 20_000 },
        );
        expect(await world.registry(at.project, `SELECT DISTINCT status FROM {schema}.resources`)).toEqual([
          { status: 'READY' },
        ]);
      },
      180_000,
    );
  });
}
