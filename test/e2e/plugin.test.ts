import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import { GranaryPlugin } from '../../worker/index.js';
import { shop, type Shop } from '../fixtures/shop.js';
import { addresses, createWorld, type World } from '../support/world.js';

let world: World;
let made: Shop;
let connection: NativeConnection;
beforeAll(async () => {
  world = await createWorld();
  made = await shop(world.name, world.folder);
  connection = await NativeConnection.connect({ address: addresses.temporal });
});
afterAll(async () => {
  await connection.close();
  await world[Symbol.asyncDispose]();
});

const create = async (options: Partial<WorkerOptions>): Promise<{ worker: Worker; taskQueue: string }> => {
  const plugin = await GranaryPlugin.create({ project: made.project });
  const worker = await Worker.create({
    connection,
    taskQueue: plugin.taskQueue,
    plugins: [plugin],
    ...options,
  });
  return { worker, taskQueue: plugin.taskQueue };
};

describe('GranaryPlugin', () => {
  it('alone brings workflows and activities', async () => {
    const { worker, taskQueue } = await create({});
    expect(taskQueue).toBe(`granary-${world.name}-dev`);
    await worker.runUntil(async () => {
      const client = await GranaryClient.connect({ project: made.project });
      const result = await (await client.run('shop_daily', { date: '2026-01-01' })).result();
      expect(result.steps).toHaveLength(4);
      await client.close();
    });
  });

  it('beside a team’s own workflows and activities serves both', async () => {
    const { worker, taskQueue } = await create({
      workflowsPath: join(import.meta.dirname, '../fixtures/own-workflows.ts'),
      activities: { ownActivity: () => Promise.resolve(1) },
    });
    await worker.runUntil(async () => {
      expect(
        await world.temporal.workflow.execute('greet', {
          taskQueue,
          workflowId: `greet-${world.name}`,
          args: ['world'],
        }),
      ).toBe('hello world');
      const client = await GranaryClient.connect({ project: made.project });
      await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      await client.close();
    });
  });

  it('refuses workflows that leave out Granary’s, and says the line', async () => {
    await expect(
      create({ workflowsPath: join(import.meta.dirname, '../fixtures/forgetful-workflows.ts') }),
    ).rejects.toThrow("Add this line to the file: export * from 'granary/workflows';");
  });

  it('refuses activity names that clash', async () => {
    await expect(create({ activities: { buildRows: () => Promise.resolve() } })).rejects.toThrow(
      /buildRows bear names of Granary's/,
    );
  });

  it('lets a worker stop that is told so before it runs', async () => {
    const { worker } = await create({});
    await expect(worker.runUntil(() => Promise.resolve('done'))).resolves.toBe('done');
  });
});

/** The command, with scratch files in a folder of this file's own. */
const cli = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  spawnSync(process.execPath, ['cli/granary.cjs', ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    env: {
      ...process.env,
      GRANARY_TEST_PROJECT: 'cli',
      FLIGHTS_LAKE: world.folder,
      TMPDIR: world.folder,
      ...env,
    },
  });
const FLIGHTS = ['worker', '--project', 'test/fixtures/flights-project.ts'];

describe('granary worker', () => {
  it.each([
    [['worker', '--project', 'nope.ts'], /There is no project file .*nope\.ts.*--project/],
    [[...FLIGHTS, '--env', 'prod'], /no environment "prod"\. Environments of cli: dev/],
    [['worker', '--project', 'test/fixtures/own-workflows.ts'], /no default export made by defineProject/],
    [['worker', '--slots', '0'], /whole number from 1/],
  ])('%j ends with a clear error', (args, message) => {
    const { status, stderr, stdout } = cli(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/ at .*\.js:\d+/);
  });

  it.each([
    [
      'Temporal does not answer',
      { TEMPORAL_ADDRESS: '127.0.0.1:1' },
      3,
      /Temporal at 127\.0\.0\.1:1 does not answer.*TEMPORAL_ADDRESS/,
    ],
    [
      'the namespace is not there',
      { TEMPORAL_NAMESPACE: 'not-there' },
      2,
      /has no namespace "not-there".*TEMPORAL_NAMESPACE/,
    ],
  ])('says that %s, and leaves no scratch folder behind', async (_, env, expected, message) => {
    const { status, stderr } = cli(FLIGHTS, env);
    expect(status).toBe(expected);
    expect(stderr).toMatch(message);
    expect(await readdir(join(world.folder, 'granary'))).toEqual([]);
  });
});
