import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shopIn, writeSales } from '../fixtures/shop.js';
import { shopCommand, type CommandOutcome } from '../support/granary-command.js';
import { startServe, type ServeProcess } from '../support/serve-process.js';
import { createWorld, type World } from '../support/world.js';

const name = `c${randomBytes(5).toString('hex')}`;
let world: World;
let folder: string;
let project: ReturnType<typeof shopIn>['project'];
let replicas: ServeProcess[] = [];
/** What was answered while there was a worker. */
let loaded: unknown, incremental: unknown, unknown: unknown;

const post = async (path: string, body: unknown, to = replicas[0]): Promise<unknown> => {
  const answer = await fetch(`${to?.url ?? ''}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, ...((await answer.json()) as object) };
};
const replica = (): Promise<ServeProcess> =>
  startServe(
    { SHOP_NAME: name, SHOP_FOLDER: folder },
    ...['--project', 'test/fixtures/shop-project.ts', '--apply', '--drain-notice', '3s'],
  );
const window = (start_ts: string, end_ts: string): object => ({
  start_ts,
  end_ts,
  feature_views: ['totals'],
});

/** Two servers that begin at once on an empty registry, beside one worker; later it is away, so that runs stay open. */
beforeAll(async () => {
  world = await createWorld();
  folder = join(world.folder, name);
  await writeSales(folder);
  ({ project } = shopIn(name, folder));
  await world.withWorker(project, async (client) => {
    replicas = await Promise.all([replica(), replica()]);
    await (await client.run('shop_daily', { date: '2026-01-02', targets: ['source/totals'] })).result();
    loaded = await post('/materialize', window('2026-01-02', '2026-01-03'));
    unknown = await post('/materialize-incremental', { feature_views: ['total'] });
    incremental = await post('/materialize-incremental?async=true', { feature_views: ['totals'] });
  });
});
afterAll(async () => {
  for (const server of replicas) await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

it('granary serve --apply: servers that begin at once register one project once, and each serves it', async () => {
  const asked = { features: ['totals:total', 'totals:n'], entities: { user_id: [1, 5] } };
  for (const server of replicas) {
    expect(server.log()).toMatch(/applies as \w+_\w+\n.*listens at/);
    expect(await post('/get-online-features', asked, server)).toMatchObject({
      status: 200,
      metadata: { feature_names: ['user_id', 'total', 'n'] },
      results: [{}, { values: [30, null] }, { values: [2, null] }],
    });
  }
  const registered = await world.registry(
    project,
    `SELECT kind, name, count(*)::int4 AS n FROM {schema}.resources GROUP BY 1, 2 HAVING count(*) > 1`,
  );
  expect(registered).toEqual([]);
});

describe('/materialize', () => {
  const run = (window: string): object => ({
    feature_views: ['totals'],
    workflow_id: `materialize/${name}_dev/totals${window}`,
    run_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
  });

  it('answers with the run once it has ended, or at once when asked to', () => {
    expect(loaded).toEqual({ status: 'completed', ...run('/2026-01-02..2026-01-03') });
    expect(incremental).toEqual({ status: 'accepted', ...run('') });
  });

  it('refuses with 409 what is open already, also of two requests at once; another window is another run', async () => {
    const path = '/materialize?async=true';
    const both = await Promise.all([1, 2].map(() => post(path, window('2026-01-01', '2026-01-02'))));
    const told = run('/2026-01-01..2026-01-02');
    expect(both).toEqual(
      expect.arrayContaining([
        { status: 'accepted', ...told },
        { status: 409, error: expect.stringContaining('still open') as unknown, ...told },
      ]),
    );
    expect(await post(path, window('2026-01-01', '2026-01-03'))).toEqual({
      status: 'accepted',
      ...run('/2026-01-01..2026-01-03'),
    });
  });

  it('says what is wrong with a request, and with what a run refuses', async () => {
    expect(unknown).toEqual({
      ...{ status: 404, code: 'UnknownResource' },
      detail: expect.stringMatching(
        /^The run materialize\/\S+ failed: .*no feature view "total".*totals/,
      ) as unknown,
    });
    expect(await post('/materialize', { start_ts: '2026-01-01' })).toMatchObject({
      ...{ status: 400, detail: expect.stringMatching(/two ends/) as unknown },
    });
    expect(await post('/materialize-incremental', { feature_views: 'totals' })).toMatchObject({
      ...{ status: 422, detail: expect.stringMatching(/list of names/) as unknown },
    });
  });
});

describe('granary features get', () => {
  const get = (...args: string[]): Promise<CommandOutcome> =>
    shopCommand({ project }, folder, 'features', 'get', ...args);

  it('shows values, their time and what is not there, as text and as JSON', async () => {
    const [text, json, absent] = await Promise.all([
      get('totals', 'user_id=1'),
      get('totals:n', 'user_id=9007199254740993', '--json'),
      get('totals', 'user_id=77'),
    ]);
    expect(text).toEqual({
      ...{ status: 0, stderr: '' },
      stdout: `FEATURE          VALUE  STATUS
total (float32)  30     OUTSIDE_MAX_AGE
n (int64)        2      OUTSIDE_MAX_AGE

totals, user_id=1: as of 2026-01-10T00:00:00Z
`,
    });
    expect(JSON.parse(json?.stdout ?? '')).toEqual({
      view: 'totals',
      entity: { user_id: '9007199254740993' },
      eventTime: '2026-01-10T00:00:00Z',
      features: [{ feature: 'n', type: 'int64', value: '1', status: 'OUTSIDE_MAX_AGE' }],
    });
    expect(absent?.stdout).toMatch(
      /^total \(float32\) +NULL +NOT_FOUND\nn \(int64\) +NULL +NOT_FOUND\n\ntotals, user_id=77: not in the online store$/m,
    );
  });

  it.each([
    [
      'an unknown feature',
      ['totals:m', 'user_id=1'],
      'The view totals has no feature "m". Did you mean "n"?',
    ],
    ['another key', ['totals', 'id=1'], '"id" is no join key of totals, which is read by user_id=<int64>.'],
    [
      'a key of another type',
      ['totals', 'user_id=one'],
      'The join key "user_id" of totals is int64, and "one" is not. Write 1001 or "1001".',
    ],
  ])('says what is wrong with %s', async (_, args, message) => {
    const { status, stdout, stderr } = await get(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`granary: ${message} [`);
  });
});

it('SIGTERM: health says 503 first, what is under way is finished, and it ends with 0', async () => {
  const [, server] = replicas;
  const underWay = post('/materialize', window('2026-01-02', '2026-01-04'), server);
  await expect
    .poll(() => fetch(`${server?.url ?? ''}/metrics`).then((answer) => answer.text()))
    .toContain('granary_feature_server_open_requests 2');
  const ended = server?.terminate();
  await expect
    .poll(() => fetch(`${server?.url ?? ''}/health`).then(({ status }) => status), { interval: 20 })
    .toBe(503);
  await expect.poll(() => fetch(`${server?.url ?? ''}/health`).catch(() => 'refused')).toBe('refused');
  await world.withWorker(project, async () => {
    expect(await underWay).toMatchObject({ status: 'completed' });
    expect(await ended).toBe(0);
  });
  expect(server?.log()).toContain('SIGTERM: finishes what is under way');
});
