import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPoint } from '../../activities/crash-points.js';
import { shop } from '../fixtures/shop.js';
import { startCommand, type CommandProcess } from '../support/command-process.js';
import { commandHere } from '../support/command-here.js';
import { until } from '../support/until.js';
import { createWorld, type World } from '../support/world.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

/**
 * Ctrl-C while a command watches: the command ends with 130 and says what to type to watch again; what it watched goes on. A step of the work is held
 * meanwhile, so that it can neither end before the signal nor be done by chance.
 */
let world: World;
const running: { stop(): Promise<unknown> }[] = [];
beforeAll(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});
afterAll(() => world[Symbol.asyncDispose]());

const FILE = 'test/fixtures/shop-project.ts';

/** A shop of a test's own, with a worker in a process of its own that is held at a point until it is let go. */
async function place() {
  const name = `i${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const { project } = await shop(name, folder);
  world.uses(project);
  const env = { SHOP_NAME: name, SHOP_FOLDER: folder };
  return {
    command: (...args: string[]) => commandHere(env, ...args),
    watching(...args: string[]): CommandProcess {
      const started = startCommand(process.execPath, ['cli/granary.cjs', ...args], '.', {
        ...process.env,
        ...env,
      });
      running.push({
        stop: () => {
          started.signal('SIGKILL');
          return started.ended;
        },
      });
      return started;
    },
    async workerHeldAt(point: CrashPoint): Promise<{ held: Promise<unknown>; release(): Promise<void> }> {
      const gate = join(folder, `${point}-${randomBytes(3).toString('hex')}`);
      const worker: WorkerProcess = await startWorkerProcess({
        project: FILE,
        env,
        armed: { point, action: 'hold', release: gate },
      });
      running.push({ stop: () => worker.signal('SIGKILL') });
      const held = worker.told(point);
      // Taken up by the test once its command runs.
      held.catch(() => undefined);
      return { held, release: () => writeFile(gate, '') };
    },
  };
}
type Place = Awaited<ReturnType<typeof place>>;

/** Interrupts a command that watches, and runs what it says to type. */
async function interrupted(at: Place, command: CommandProcess): Promise<{ said: string; again: string }> {
  command.signal('SIGINT');
  expect(await command.closed, command.output()).toBe(130);
  const said = command.errors();
  const [, words = ''] = /Watch it: (granary .*?)(?:[;.] |\n|$)/.exec(said) ?? [];
  expect(words, said).toMatch(/^granary /);
  return { said, again: words };
}

/** What `--json` says of a run. */
async function runOf(at: Place, run: string): Promise<{ readonly status: string }> {
  const { stdout, stderr } = await at.command('runs', 'show', run, '--json', '--project', FILE);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as { readonly status: string };
}
const completed = (at: Place, run: string): Promise<void> =>
  until(`${run} is complete`, async () => (await runOf(at, run)).status === 'COMPLETED', {
    timeoutMs: 40_000,
  });

describe('Ctrl-C while a command watches', () => {
  it('a run: it goes on', async () => {
    const at = await place();
    const { held, release } = await at.workerHeldAt('build.before-stage');
    const args = ['run', 'shop_daily', '--follow', '--project', FILE];
    const asText = at.watching(...args, '--date', '2026-01-02');
    const asJson = at.watching(...args, '--date', '2026-01-03', '--json');
    await held;
    await asText.said(/build RUNNING/);
    await until(
      'both runs are recorded',
      async () => {
        const listed = await at.command('runs', 'list', '--status', 'RUNNING', '--json', '--project', FILE);
        return listed.status === 0 && (JSON.parse(listed.stdout) as unknown[]).length === 2;
      },
      { timeoutMs: 30_000 },
    );
    const both = await Promise.all([asText, asJson].map((each) => interrupted(at, each)));
    for (const [n, { said, again }] of both.entries()) {
      expect(said).toMatch(
        new RegExp(
          `pipeline/\\w+/shop_daily/2026-01-0${n + 2} goes on\\. Watch it: granary runs show \\S+ .*stop it: granary runs cancel`,
        ),
      );
      const shown = await at.command(...again.split(' ').slice(1));
      expect(shown).toMatchObject({ status: 0, stderr: '' });
    }
    expect((await at.command(...(both[0]?.again ?? '').split(' ').slice(1))).stdout).toMatch(
      /STATUS +RUNNING/,
    );
    // With --json there is nothing but JSON on stdout: here none.
    expect(asJson.output()).toBe(asJson.errors());
    await release();
    for (const { again } of both) await completed(at, again.split(' ')[3] ?? '');
  });

  it('a backfill, and its status: the backfill goes on', async () => {
    const at = await place();
    const { held, release } = await at.workerHeldAt('build.before-stage');
    const watching = at.watching('backfill', 'shop_daily', '--to', '2026-01-04', '--project', FILE);
    await held;
    await watching.said(/granary backfill: started/);
    const { said, again } = await interrupted(at, watching);
    expect(said).toMatch(/\w+ goes on without this command\. .*; end it: granary backfill cancel \w+/);
    const words = again.split(' ').slice(1);
    const watchingAgain = at.watching(...words);
    await watchingAgain.said(/2 of 3 intervals|in flight/);
    expect((await interrupted(at, watchingAgain)).again).toBe(again);
    await release();
    const done = await at.command(...words, '--json');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(done.stdout)).toMatchObject({
      status: 'COMPLETED',
      intervals: { completed: 3, failed: 0 },
    });
  });

  it('a materialize: the load goes on', async () => {
    const at = await place();
    const { held, release } = await at.workerHeldAt('stage.before-stage');
    // Builds, and loads nothing.
    expect(
      await at.command(
        ...['run', 'shop_daily', '--date', '2026-01-02', '--targets', 'source/totals', '--follow'],
        ...['--project', FILE],
      ),
    ).toMatchObject({ status: 0 });
    const watching = at.watching('materialize', '--project', FILE);
    await held;
    await watching.said(/staging/);
    const { again } = await interrupted(at, watching);
    expect((await at.command(...again.split(' ').slice(1))).stdout).toMatch(/STATUS +RUNNING/);
    await release();
    await completed(at, again.split(' ')[3] ?? '');
    expect(await at.command('verify', 'totals', '--project', FILE)).toMatchObject({ status: 0 });
  });

  it('an apply: it goes on', async () => {
    const at = await place();
    const { held, release } = await at.workerHeldAt('apply.after-register');
    const watching = at.watching('apply', FILE);
    await held;
    await watching.said(/Applying Run/);
    const { again } = await interrupted(at, watching);
    await release();
    const words = again.split(' ').slice(1);
    await until('all is READY', async () => (await at.command(...words)).status === 0, { timeoutMs: 40_000 });
  });
});
