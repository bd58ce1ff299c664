import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesIn, startCommand, type CommandProcess } from '../support/command-process.js';
import { installPackage, packPackage, userEnvironment } from '../support/packed-package.js';
import { until } from '../support/until.js';

/**
 * What a new user does, with the packed package and real servers of their own: init, npm install, test, dev, a change, Ctrl-C.
 */
const run = promisify(execFile);
const env = Object.fromEntries(
  Object.entries(userEnvironment()).filter(
    ([name]) => !/^(GRANARY_|TEMPORAL_|AWS_|DATABASE_URL|REDIS_URL|S3_ENDPOINT)/.test(name),
  ),
);
let folder: string;
let shop: string;
const bin = (name: string): string => join(shop, 'node_modules', '.bin', name);
const granary = (...args: string[]) => run(bin('granary'), args, { cwd: shop, env });
const dev = (...args: string[]): CommandProcess =>
  startCommand(
    bin('granary'),
    ['dev', '--port', '0', '--programs', resolve('.granary/bin'), ...args],
    shop,
    env,
  );
const running: CommandProcess[] = [];

/** The package as npx would lay it out: unpacked beside what it depends on. */
async function unpacked(tarball: string): Promise<string> {
  const modules = join(folder, 'npx', 'node_modules');
  await mkdir(join(modules, 'granary'), { recursive: true });
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'granary')]);
  for (const name of await readdir('node_modules'))
    if (!name.startsWith('.')) await symlink(resolve('node_modules', name), join(modules, name));
  return join(modules, 'granary', 'cli', 'granary.cjs');
}

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'granary-user-')));
  const tarball = await packPackage(folder);
  const { stdout } = await run(process.execPath, [await unpacked(tarball), 'init', 'shop'], {
    cwd: folder,
    env,
  });
  expect(stdout).toMatch(/shop is in .*granary\.ts.*Next:\n {2}cd shop\n {2}npm install/s);
  shop = join(folder, 'shop');
  const manifest = JSON.parse(await readFile(join(shop, 'package.json'), 'utf8'));
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  expect(manifest.dependencies).toMatchObject({ granary: `^${version}`, '@temporalio/worker': '^1.24.0' });
  // The version is not published while it is tested: as `npm install <file>` would write it.
  await installPackage(shop, tarball, manifest);
}, 400_000);
afterAll(async () => {
  for (const each of running) each.signal('SIGTERM');
  await Promise.all(running.map(({ ended }) => ended));
  await rm(folder, { recursive: true, force: true });
});
const started = (process: CommandProcess): CommandProcess => {
  running.push(process);
  return process;
};
const nothingRuns = (): Promise<void> =>
  until('nothing runs', () => Promise.resolve(processesIn(shop).length === 0), { timeoutMs: 10_000 });

/** What the features should be, by the orders themselves. */
async function ordersOfSevenDays(user: number): Promise<{ orders: number; amount: number }> {
  const end = Math.floor(Date.now() / 86_400_000) * 86_400_000;
  const lines = (await readFile(join(shop, 'data/raw/orders.csv'), 'utf8')).trim().split('\n').slice(1);
  const own = lines
    .map((line) => line.split(','))
    .filter(
      ([id, at = '']) =>
        Number(id) === user && Date.parse(at) >= end - 7 * 86_400_000 && Date.parse(at) < end,
    );
  return { orders: own.length, amount: own.reduce((sum, [, , amount]) => sum + Number(amount), 0) };
}

/** The two features of users, as the feature server has them. */
async function onlineFeatures(url: string, users: readonly number[]): Promise<number[][]> {
  const answer = await fetch(`${url}/get-online-features`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      features: ['user_spending_view:orders_7d', 'user_spending_view:amount_7d'],
      entities: { user_id: users },
    }),
  });
  const { results } = (await answer.json()) as { results: { values: number[] }[] };
  return results.slice(1).map(({ values }) => values);
}

/** Runs the pipeline as the Temporal UI starts it. */
async function pipelineRun(address: string): Promise<unknown> {
  const connection = await Connection.connect({ address });
  try {
    return await new Client({ connection }).workflow.execute('pipeline', {
      taskQueue: 'granary-shop-dev',
      workflowId: 'by-hand',
      args: [{ pipeline: 'shop_daily' }],
    });
  } finally {
    await connection.close();
  }
}

describe('a new user', () => {
  it('has a project whose tests pass and whose types hold, without a server', async () => {
    const { stdout } = await run('npm', ['test'], { cwd: shop, env });
    expect(stdout).toContain('3 passed');
    await run('npm', ['run', 'types'], { cwd: shop, env });
  });

  it('starts everything by one command, reads features, changes the project, stops everything by one Ctrl-C, and goes on at the next start', async () => {
    const first = started(dev());
    const [, temporal = ''] = await first.said(/Temporal\s+(127\S+)/);
    const [, url = ''] = await first.said(/Feature server\s+(http:\S+)/);
    await first.said(/Ctrl-C stops everything/);
    expect(first.output()).toMatch(/all 8 definitions are READY/);

    await expect(granary('dev')).rejects.toMatchObject({
      stderr: expect.stringContaining(`granary dev runs in this folder already (process`),
    });

    const { stdout } = await granary('materialize', '--json');
    expect(stdout).toContain('user_spending_view');
    const [orders, amounts] = await onlineFeatures(url, [1001, 1003]);
    for (const [at, user] of [1001, 1003].entries()) {
      const expected = await ordersOfSevenDays(user);
      expect(orders?.[at]).toBe(expected.orders);
      expect(amounts?.[at]).toBeCloseTo(expected.amount, 6);
    }

    // A mistake: it is told, and the worker before goes on.
    const file = join(shop, 'granary.ts');
    const right = await readFile(file, 'utf8');
    await writeFile(file, right.replace("cron: '0 0 * * *'", "cron: '0 0 * *"));
    await first.said(/granary\.ts:\d+:\d+: ERROR.*the worker before goes on/s);
    expect(await onlineFeatures(url, [1001])).toHaveLength(2);
    expect(await pipelineRun(temporal)).toMatchObject({ pipeline: 'shop_daily' });

    // A file of its own, imported by the project, that is wrong at first.
    await writeFile(
      join(shop, 'shops.ts'),
      "import { entity, t } from 'granary';\nexport const shop = entity('shop', { joinKeys: {} });\n",
    );
    await writeFile(
      file,
      right
        .replace("} from 'granary';", "} from 'granary';\nimport { shop } from './shops.js';")
        .replace('resources: [daily]', 'resources: [daily, shop]'),
    );
    await first.said(/shops\.ts:2:\d+.*the worker before goes on/s);
    await writeFile(
      join(shop, 'shops.ts'),
      "import { entity, t } from 'granary';\nexport const shop = entity('shop', { joinKeys: { shop_id: t.int64 } });\n",
    );
    await first.said(/shops\.ts changed.*the one before has stopped.*\+ entity shop.*READY/s);
    expect((await granary('list', 'entities')).stdout).toMatch(/shop/);

    first.signal('SIGINT');
    const asOf = performance.now();
    expect(await first.ended).toBe(0);
    expect(performance.now() - asOf).toBeLessThan(15_000);
    await nothingRuns();

    // All is as it was at the next start, and a terminal that closes leaves nothing behind.
    const second = started(dev());
    await second.said(/nothing is new: all \d+ definitions are registered and made/);
    second.closeOutput();
    second.signal('SIGHUP');
    await second.ended;
    await nothingRuns();
  }, 300_000);

  it('loses nothing when it is killed: its worker ends with it, and the next start takes the servers over', async () => {
    const third = started(dev());
    await third.said(/worker\s+polls/);
    process.kill(third.pid, 'SIGKILL');
    await third.ended;
    await until(
      'its worker has ended',
      () => Promise.resolve(!processesIn(shop).some((line) => line.includes('generation.js'))),
      { timeoutMs: 30_000 },
    );
    const fourth = started(dev());
    await fourth.said(/running already/);
    await fourth.said(/worker\s+polls/);
    fourth.signal('SIGTERM');
    expect(await fourth.ended).toBe(0);
    await nothingRuns();
  });
});
