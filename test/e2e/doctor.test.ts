import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkNode, checkScratch } from '../../cli/doctor-machine.js';
import { bounded, clockFinding, failed, ok, type Finding } from '../../cli/doctor-findings.js';
import { GranaryPlugin } from '../../worker/index.js';
import { shop, type Shop } from '../fixtures/shop.js';
import { granary } from '../support/granary-command.js';
import { until } from '../support/until.js';
import { addresses, createWorld, type World } from '../support/world.js';

let world: World;
let shopHere: Shop;
let folder: string;
beforeAll(async () => {
  world = await createWorld();
  folder = join(world.folder, 'shop');
  shopHere = await shop(world.name, folder);
  world.uses(shopHere.project);
});
afterAll(() => world[Symbol.asyncDispose]());

/** What `granary doctor --json` finds: check -> state and message, and its exit status. */
async function doctor(env: Readonly<Record<string, string>> = {}, ...flags: string[]) {
  const { status, stdout, stderr } = await granary(
    { SHOP_NAME: world.name, SHOP_FOLDER: folder, ...env },
    ...['doctor', '--project', 'test/fixtures/shop-project.ts', '--json', ...flags],
  );
  if (stdout === '') throw new Error(stderr);
  const found = JSON.parse(stdout) as Finding[];
  return {
    status,
    of: (check: string) => found.find((finding) => finding.check === check),
    states: Object.fromEntries(found.map(({ check, state }) => [check, state])),
  };
}

/** A name space of the test's own, which knows no search attributes. */
async function ownNamespace(connection: Connection): Promise<string> {
  const namespace = `n${randomBytes(5).toString('hex')}`;
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: '86400' as never },
  });
  const isThere = (): Promise<boolean> =>
    connection.operatorService.listSearchAttributes({ namespace }).then(
      () => true,
      () => false,
    );
  await until('the name space', isThere, { timeoutMs: 30_000 });
  return namespace;
}

describe('granary doctor --fix', () => {
  it('registers search attributes: runs before go without them, later ones of the same worker have them', async () => {
    const connection = await Connection.connect({ address: addresses.temporal });
    const native = await NativeConnection.connect({ address: addresses.temporal });
    const namespace = await ownNamespace(connection);
    const temporal = new Client({ connection, namespace });
    const plugin = await GranaryPlugin.create({ project: shopHere.project, heartbeatInterval: '200ms' });
    const { taskQueue } = plugin;
    const worker = await Worker.create({
      ...{ connection: native, namespace, taskQueue, plugins: [plugin] },
      workflowBundle: { codePath: process.env['GRANARY_TEST_BUNDLE'] ?? '' },
    });
    const run = async (date: string) => {
      const workflowId = `${world.name}-${randomBytes(3).toString('hex')}`;
      await temporal.workflow.execute('pipeline', { taskQueue, workflowId, args: [{ date }] });
      const { typedSearchAttributes } = await temporal.workflow.getHandle(workflowId).describe();
      return Object.fromEntries(
        typedSearchAttributes
          .getAll()
          .filter(({ key }) => key.name.startsWith('Granary'))
          .map(({ key, value }) => [key.name, value]),
      );
    };
    try {
      await worker.runUntil(async () => {
        expect(await run('2026-01-01')).toEqual({});
        const before = await doctor({ TEMPORAL_NAMESPACE: namespace });
        expect(before.of('search attributes')).toMatchObject({
          state: 'warning',
          message:
            'not registered, so that runs do not set any: GranaryPipeline, GranaryIntervalEnd, GranaryDeadline',
          remedy: 'granary doctor --fix',
        });
        const fix = await doctor({ TEMPORAL_NAMESPACE: namespace }, '--fix');
        expect([fix.status, fix.states]).toEqual([
          0,
          {
            ...{ node: 'ok', 'scratch space': 'ok', project: 'ok', secrets: 'ok' },
            ...{
              temporal: 'ok',
              namespace: 'ok',
              worker: 'ok',
              'search attributes': 'fixed',
              schedules: 'warning',
            },
            ...{ 'clock of Temporal': 'ok', registry: 'ok', migrations: 'ok', 'clock of Postgres': 'ok' },
            ...{ "Feast's registry.pb": 'warning', 'provider lake': 'ok' },
            ...{ 'provider raw': 'ok', 'provider online': 'ok' },
          },
        ]);
        const known = { GranaryPipeline: 'shop_daily', GranaryIntervalEnd: new Date('2026-01-03T00:00:00Z') };
        const has = async (): Promise<boolean> => (await run('2026-01-02'))['GranaryPipeline'] !== undefined;
        await until('a run with the attributes', has, { timeoutMs: 40_000 });
        expect(await run('2026-01-02')).toEqual(known);
      });
    } finally {
      await native.close();
      await connection.close();
    }
  });

  it("migrates the registry's tables, and refuses to go on with those of a newer release", async () => {
    const schema = `"granary_${world.name}_dev"`;
    await world.withWorker(shopHere.project, async (client) => {
      await (await client.run('shop_daily', { date: '2026-01-01' })).result();
    });
    const sql = (text: string) => world.pg.query(text);
    await sql(`DROP TABLE ${schema}.events; ALTER TABLE ${schema}.resources DROP COLUMN deadline`);
    await sql(`DELETE FROM ${schema}.migrations WHERE id = 9`);
    const before = await doctor();
    expect(before.of('migrations')).toMatchObject({
      state: 'warning',
      message: expect.stringMatching(/missing: 9\b/) as unknown,
    });
    expect((await doctor({}, '--fix')).of('migrations')).toMatchObject({
      state: 'fixed',
      message: 'applied: 9',
    });
    await sql(`INSERT INTO ${schema}.migrations (id) VALUES (4711)`);
    const newer = await doctor();
    expect([newer.status, newer.of('migrations')]).toEqual([
      1,
      expect.objectContaining({
        state: 'failed',
        message: 'the registry has migration 4711, which this release does not know',
      }),
    ]);
    await sql(`DELETE FROM ${schema}.migrations WHERE id = 4711`);
    // A file that is no registry of Feast, where Feast's registry is to be.
    const pb = join(shopHere.lake, 'feast', 'dev', 'registry.pb');
    await mkdir(join(pb, '..'), { recursive: true });
    await writeFile(pb, 'this is none');
    expect((await doctor()).states["Feast's registry.pb"]).toBe('failed');
  });
});

describe('granary doctor', () => {
  it('tells by check what is broken, also when several things are at once', async () => {
    const away = await doctor({
      ...{ TEMPORAL_ADDRESS: '127.0.0.1:1', DATABASE_URL: 'postgres://granary@127.0.0.1:1/x' },
      ...{ REDIS_URL: '' },
    });
    expect(away.status).toBe(1);
    expect(away.states).toMatchObject({
      ...{ node: 'ok', 'scratch space': 'ok', project: 'ok', secrets: 'failed', temporal: 'failed' },
      ...{ worker: 'skipped', registry: 'failed', migrations: 'skipped', 'provider online': 'failed' },
    });
    expect(away.of('secrets')?.message).toBe('not set: the variable REDIS_URL (bind.online.url)');
    expect(away.of('temporal')?.message).toMatch(/127\.0\.0\.1:1 does not answer.*Check that it runs/s);
    expect(await checkScratch(join(folder, 'raw', 'sales.parquet'))).toMatchObject({
      state: 'failed',
      remedy: 'Set TMPDIR to a folder that this user may write.',
    });
  });

  it('names a name space that is not there, and a project that cannot be opened', async () => {
    const nowhere = await doctor({ TEMPORAL_NAMESPACE: 'nowhere' });
    expect(nowhere.of('namespace')).toMatchObject({
      state: 'failed',
      remedy: expect.stringMatching(/^temporal operator namespace create -n nowhere/) as unknown,
    });
    const wrong = await doctor({ DATABASE_URL: '' });
    expect(wrong.states).toMatchObject({ secrets: 'failed', 'the rest': 'skipped' });
  });

  it.each([
    ['20.19.0', 'ok'],
    ['20.18.3', 'failed'],
    ['18.20.0', 'failed'],
    ['22.1.0', 'ok'],
  ])('Node %s is %s', (version, state) => expect(checkNode(version).state).toBe(state));

  it.each([
    { off: 4000, within: 10, state: 'ok' },
    { off: -6000, within: 10, state: 'warning' },
    { off: 6000, within: 2000, state: 'ok' },
    { off: 60_000, within: 2000, state: 'warning' },
  ])('a clock that is off by $off ms, read within $within ms, is $state', ({ off, within, state }) => {
    expect(clockFinding('Postgres', { at: 1e12 + off, askedAt: 1e12, within }).state).toBe(state);
  });

  it.each<[string, () => Promise<Finding[]>, Finding[]]>([
    ['findings that come in time', () => Promise.resolve([ok('node', '20')]), [ok('node', '20')]],
    [
      'a server that never answers',
      () => new Promise(() => undefined),
      [failed('temporal', 'no answer within 0.05 s', 'Check that the server works, and the network to it.')],
    ],
    [
      'an error of no known kind',
      () => Promise.reject(new Error('permission denied')),
      [failed('temporal', 'permission denied')],
    ],
  ])('tells of %s', async (_, checks, expected) => {
    expect(await bounded('temporal', checks(), 50)).toEqual(expected);
  });

  it('ends although nobody reads what it says any more', async () => {
    const child = spawn(
      process.execPath,
      ['cli/granary.cjs', 'doctor', '--project', 'test/fixtures/shop-project.ts'],
      { env: { ...process.env, SHOP_NAME: world.name, SHOP_FOLDER: folder } },
    );
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    const [code, signal] = (await once(child, 'exit', { signal: AbortSignal.timeout(60_000) })) as unknown[];
    expect(signal).toBeNull();
    expect(code).not.toBeNull();
  });
});
