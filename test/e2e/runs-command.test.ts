import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { caller } from '../../client/caller.js';
import { requireInterval } from '../../cli/run.js';
import { compile } from '../../definitions/compile.js';
import { intervalEnd, sql, type BuildContext, type Project } from '../../definitions/index.js';
import { packageVersion } from '../../registry/package-version.js';
import { sales, SALES, shop, totalsOf, writeSales } from '../fixtures/shop.js';
import { commandHere } from '../support/command-here.js';
import { expectGolden, settled } from '../support/golden.js';
import { untilRunning } from '../support/running.js';
import { until } from '../support/until.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A shop of a test's own, and the command over it. */
async function place(totals = totalsOf()) {
  const name = `q${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const { project } = await shop(name, folder, { totals, variant: 'v1', retries: { max: 0, delay: '1s' } });
  const command = (...args: string[]) =>
    commandHere(
      {
        SHOP_NAME: name,
        SHOP_FOLDER: folder,
        SHOP_VARIANT: 'v1',
        TEMPORAL_UI_ADDRESS: 'http://127.0.0.1:8233/',
      },
      ...args,
      '--project',
      'test/fixtures/shop-project.ts',
    );
  const own = { [name]: 'SHOP', [world.folder]: '/tmp', [`${hostname()}@`]: 'host@' };
  return { name, folder, project, command, plain: (text: string) => settled(text, own) };
}

const workflow = (project: Project, rest: string): string => `pipeline/${project.name}_dev/${rest}`;

/** Fails in the engine for sales above 15. */
const strict = totalsOf({
  build: sql`SELECT user_id, ${intervalEnd} AS event_timestamp, sum(CASE WHEN amount > 15 THEN error('a sale is too large') ELSE amount END) AS total, count(*) AS n FROM ${sales} GROUP BY user_id`,
});

describe('granary run and granary runs', () => {
  it('run, show the steps until the end, and tell of the run afterwards', async () => {
    const at = await place();
    await world.withWorker(at.project, async () => {
      const run = await at.command('run', 'shop_daily', '--date', '2026-01-02', '--follow');
      expect(run).toMatchObject({ status: 0, stderr: '' });
      expect(at.plain(run.stdout).split('\n')).toEqual(
        expect.arrayContaining([
          'Started pipeline/SHOP_dev/shop_daily/2026-01-02 (run <run>)',
          'source/totals.v1: build COMPLETED: 3 rows, <duration>, <version>',
          'view/totals.v1: materialize COMPLETED: 3 rows, <duration>, redis at redis://host/0',
          'shop_daily for 2026-01-02 is complete: 4 steps made, 0 valid already, in <duration>.',
        ]),
      );
      const [row] = JSON.parse((await at.command('runs', 'list', '--json')).stdout) as {
        workflowId: string;
      }[];
      const { raw } = await world.temporal.workflow.getHandle(row?.workflowId ?? '').describe();
      expect(raw.workflowExecutionInfo?.priority?.priorityKey).toBe(2);
      for (const [name, ...args] of [
        ['runs-list', 'runs', 'list'],
        ['runs-show', 'runs', 'show', 'last'],
        ['runs-show-json', 'runs', 'show', workflow(at.project, 'shop_daily/2026-01-02'), '--json'],
        ['runs-logs', 'runs', 'logs', 'last', '--step', 'source/totals'],
        ['version', 'version'],
      ] as const) {
        const said = await at.command(...args);
        expect(said).toMatchObject({ status: 0, stderr: '' });
        // Versions and the newest migration are others with each release.
        const plain = at.plain(said.stdout).replaceAll(packageVersion, '<x.y.z>');
        await expectGolden(name, plain.replace(/migration (\d+) of \1,/, 'migration <n> of <n>,'));
      }
      expect((await at.command('runs', 'retry', 'last')).stderr).toMatch(
        /completed: there is nothing to retry.*granary run shop_daily --from 2026-01-02T00:00:00Z --to .* --rebuild \[InvalidInput\]/,
      );
    });
  });

  it('refuse what can only go wrong before anything starts, also without a worker', async () => {
    const at = await place();
    for (const [said, ...flags] of [
      ['"2026-13-45" is not a timestamp', '--date', '2026-13-45'],
      ['"yesterday" is not a date', '--date', 'yesterday'],
      ["lies after the pipeline's endDate", '--date', '2999-01-01'],
      ['2026-01-05', '--from', '2026-01-05', '--to', '2026-01-02'],
      ['is no interval of the schedule', '--from', '2026-01-02', '--to', '2026-01-05'],
      ['There is no resource "view/totls"', '--targets', 'view/totls'],
    ] as const) {
      const run = await at.command('run', 'shop_daily', ...flags);
      expect(run).toMatchObject({ status: 2, stdout: '' });
      expect(run.stderr).toContain(said);
    }
    expect((await at.command('runs', 'list')).stdout).toContain('Nothing has run yet.');

    const compiled = compile(at.project);
    const noon = Date.parse('2026-01-03T12:00:00Z');
    requireInterval(compiled, 'shop_daily', { date: '2026-01-02' }, noon);
    expect(() => requireInterval(compiled, 'shop_daily', { date: '2026-01-03' }, noon)).toThrow(
      /\[2026-01-03T00:00:00Z, 2026-01-04T00:00:00Z\) of shop_daily has not ended yet/,
    );
  });

  it('plan, backfill and schedule say what would be done, and what was', async () => {
    const at = await place();
    const golden = async (name: string, ...args: string[]): Promise<void> => {
      const said = await at.command(...args);
      expect(said.status, said.stderr).toBe(0);
      await expectGolden(
        name,
        at
          .plain(said.stdout)
          .replace(/\b[a-z]+_[a-z]+(?=:? +(shop_daily|COMPLETED))/g, '<name>')
          .replaceAll(caller(), '<user>')
          // How many lines of progress there are is a matter of time.
          .replace(/^shop_daily \[.*\n/gm, ''),
      );
    };
    await golden('schedule-apply-dry-run', 'schedule', 'apply', '--dry-run');
    await world.withWorker(at.project, async () => {
      await golden('backfill', 'backfill', 'shop_daily', '--to', '2026-01-03');
      await golden('backfill-dry-run', 'backfill', '--to', '2026-01-05', '--dry-run');
    });
    await golden('backfill-status', 'backfill', 'status');
    await golden('plan', 'plan', '--to', '2026-01-05');
    // The flags that both have may stand before the subcommand as well.
    expect(await at.command('backfill', '--json', 'status')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\[\s+\{/) as unknown,
    });
  });

  it('tell what the engine said of a query, and try it again for the same interval', async () => {
    const at = await place(strict);
    await world.withWorker(at.project, async () => {
      const failed = await at.command('run', 'shop_daily', '--date', '2026-01-02', '--follow');
      expect(failed).toMatchObject({ status: 1 });
      expect(failed.stderr).toMatch(/^granary: 2026-01-02: source\/totals.*a sale is too large.*/s);
      await expectGolden('runs-show-failed', at.plain((await at.command('runs', 'show', 'last')).stdout));
      const logs = await at.command('runs', 'logs', 'last', '--step', 'source/totals');
      await expectGolden('runs-logs-failed', at.plain(logs.stdout));
      expect(at.plain((await at.command('runs', 'list', '--status', 'FAILED')).stdout)).toMatch(
        /<run> {2}shop_daily {2}2026-01-02 {2}FAILED {2}<time> {2}<duration> {2}1\/4 {2}source\/totals\.v1: .*/,
      );
      await writeSales(at.folder, SALES.replace('20.0', '2.0'));
      const retried = await at.command('runs', 'retry', 'last', '--follow', '--json');
      expect(retried).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(retried.stdout)).toMatchObject({
        workflowId: workflow(at.project, 'shop_daily/2026-01-02'),
        status: 'COMPLETED',
        interval: { start: '2026-01-02T00:00:00Z', end: '2026-01-03T00:00:00Z' },
      });
    });
  });

  it('cancel a run, and one that no worker has begun; settle what Temporal closed', async () => {
    const gate = join(world.folder, 'never');
    const at = await place(
      totalsOf({
        build: async function* ({ signal }: BuildContext) {
          while (!existsSync(gate)) {
            signal.throwIfAborted();
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        },
      }),
    );
    const queued = { pipeline: 'shop_daily', date: '2026-01-01' };
    const id = workflow(at.project, 'queued');
    const waiting = await world.temporal.workflow.start('pipeline', {
      taskQueue: `granary-${at.name}-dev`,
      workflowId: id,
      args: [queued],
    });
    expect((await at.command('runs', 'show', id)).stderr).toMatch(/no worker has begun it yet/);
    expect(await at.command('runs', 'cancel', id)).toMatchObject({ status: 0 });
    await world.withWorker(at.project, async () => {
      await expect(waiting.result()).rejects.toThrow();
      const started = await at.command('run', 'shop_daily', '--date', '2026-01-02', '--json');
      const { workflowId, run } = JSON.parse(started.stdout) as { workflowId: string; run: string };
      const handle = world.temporal.workflow.getHandle(workflowId, run);
      await untilRunning(handle, 'buildRows');
      const show = async (): Promise<{ readonly counts: { readonly completed: number } }> =>
        JSON.parse((await at.command('runs', 'show', run, '--json')).stdout) as Awaited<
          ReturnType<typeof show>
        >;
      // The step beside the one that waits is done before the run is cancelled.
      await until('one step is done', async () => (await show()).counts.completed === 1, {
        timeoutMs: 30_000,
      });
      expect((await at.command('runs', 'retry', run.slice(0, 18))).stderr).toMatch(
        /is still RUNNING.*cancel/,
      );
      expect((await at.command('runs', 'cancel', 'last')).stdout).toMatch(/was asked to stop/);
      await expect(handle.result()).rejects.toThrow();
      expect(await show()).toMatchObject({ status: 'CANCELLED', counts: { completed: 1, total: 4 } });
      const logs = JSON.parse((await at.command('runs', 'logs', run, '--json')).stdout) as object[];
      expect(logs).toContainEqual(
        expect.objectContaining({ step: 'source/totals.v1', outcome: 'cancelled' }),
      );
      const again = await at.command('runs', 'cancel', run);
      expect(again).toMatchObject({ status: 2, stdout: '' });
      expect(again.stderr).toMatch(/has ended CANCELLED at .*nothing to cancel/);

      const other = JSON.parse((await at.command('run', 'shop_daily', '--json')).stdout) as {
        workflowId: string;
      };
      await untilRunning(world.temporal.workflow.getHandle(other.workflowId), 'buildRows');
      await world.temporal.workflow.getHandle(other.workflowId).terminate();
      expect(at.plain((await at.command('runs', 'list', '--limit', '1')).stdout)).toMatch(
        / {2}TERMINATED {2}/,
      );
    });
    await writeFile(gate, '');
  });

  it.each([
    ['a run that is not there', ['runs', 'show', 'nope'], 2, /There is no run "nope".*granary runs list/],
    ['no run yet', ['runs', 'show', 'last'], 2, /There is no run "last"/],
    [
      'a misspelt pipeline',
      ['run', 'shop_dialy'],
      2,
      /no pipeline "shop_dialy" in dev\. Did you mean "shop_daily"\?/,
    ],
    ['half an interval', ['run', 'shop_daily', '--from', '2026-01-01'], 2, /--from and --to together/],
    [
      'two intervals',
      ['run', 'shop_daily', '--date', '2026-01-01', '--from', '2026-01-01', '--to', '2026-01-02'],
      2,
      /not both/,
    ],
    ['no worker', ['run', 'shop_daily'], 3, /No worker polls the task queue/],
    [
      'a misspelt command',
      ['runs', 'lst'],
      2,
      /unknown command 'lst'\. Did you mean list\? See: granary runs --help/,
    ],
    [
      'a misspelt option',
      ['runs', 'list', '--limt', '3'],
      2,
      /unknown option '--limt'\. Did you mean --limit\?/,
    ],
    ['a status that there is not', ['runs', 'list', '--status', 'DONE'], 2, /Allowed choices are RUNNING, /],
  ])('refuse %s with the remedy, as text and as JSON', async (_, args, status, message) => {
    const at = await place();
    world.uses(at.project);
    const text = await at.command(...args);
    expect(text).toMatchObject({ status, stdout: '' });
    expect(text.stderr).toMatch(message);
    const json = await at.command(...args, '--json');
    expect(json).toMatchObject({ status, stdout: '' });
    const { error } = JSON.parse(json.stderr) as {
      error: { code: string; message: string; exitCode: number };
    };
    expect(error.message).toMatch(message);
    expect(error.exitCode).toBe(status);
  });
});
