import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { GranaryClient } from '../../client/index.js';
import { ticking } from '../fixtures/ticking.js';
import { startWorkerProcess } from './worker-process.js';
import { createWorld, type World } from './world.js';

let world: World;

/** Kills the worker of a backfill at each point: it goes on with another one, and each interval is made or failed once. */
export function backfillKills(points: readonly CrashPoint[]): void {
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  describe('a backfill whose worker is killed at', () => {
    it.each(points)(
      '%s goes on with another one',
      async (point) => {
        const name = `b${randomBytes(5).toString('hex')}`;
        const folder = join(world.folder, name);
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, 'fail-2026-01-02'), '');
        const project = ticking(name, folder);
        world.uses(project);
        const options = {
          project: 'test/fixtures/ticking-project.ts',
          env: { TICKING_NAME: name, TICKING_FOLDER: folder },
        };
        const client = await GranaryClient.connect({ project });
        try {
          await using worker = await startWorkerProcess({ ...options, armed: { point, action: 'wait' } });
          const handle = await client.backfill({ to: '2026-01-05' });
          await worker.told(point);
          await worker.signal('SIGKILL');
          await using _next = await startWorkerProcess(options);
          const state = await handle.result();
          expect(state.failures.map(({ error }) => error)).toEqual([
            expect.stringContaining('the feed of 2026-01-02 is broken'),
          ]);
          expect(state).toMatchObject({
            status: 'FAILED',
            intervals: { completed: 3, failed: 1, running: 0, waiting: 0, cancelled: 0 },
          });
          const made = await world.registry(project, 'SELECT DISTINCT generation FROM {schema}.datasets');
          expect(made).toEqual([{ generation: 1 }]);
          expect((await client.backfills.plan({ to: '2026-01-05' })).plan.found).toEqual({
            valid: 3,
            failed: 1,
          });
        } finally {
          await client.close();
        }
      },
      180_000,
    );
  });
}
