import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromEnv, fromFile } from 'granary';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listenOn, type FeatureServer, type ListenOptions } from '../../server/server.js';
import { fuzz } from '../support/fuzzed-bodies.js';
import { ownServers, type OwnServers } from '../support/own-servers.js';
import { aUser, served, type Served } from '../support/served.js';

let servers: OwnServers;
let shop: Served;
let server: FeatureServer;
const before = { postgres: process.env['DATABASE_URL'] ?? '' };
const logged: string[] = [];

beforeAll(async () => {
  servers = await ownServers(['redis', 'postgres']);
  shop = await served();
  await shop.load('users', [aUser()]);
  server = await serve();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
  process.env['DATABASE_URL'] = before.postgres;
});

const serve = (options: ListenOptions = {}): Promise<FeatureServer> =>
  listenOn(shop.open, { port: 0, log: (line) => logged.push(line), ...options });

const ask = async (
  { url }: FeatureServer,
  headers: Record<string, string> = {},
  users: readonly number[] = [1001],
): Promise<{ status: number; text: string; seconds: number }> => {
  const began = performance.now();
  const answer = await fetch(`${url}/get-online-features`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ features: ['users:small'], entities: { user_id: users } }),
  });
  return { status: answer.status, text: await answer.text(), seconds: (performance.now() - began) / 1000 };
};
const status = async (of = server, headers = {}): Promise<number> => (await ask(of, headers)).status;

async function admin(): Promise<Redis & AsyncDisposable> {
  const redis = new Redis(process.env['REDIS_URL'] ?? '');
  await redis.ping();
  return Object.assign(redis, {
    [Symbol.asyncDispose]: () => {
      redis.disconnect();
      return Promise.resolve();
    },
  });
}

/** What a raw connection is told, until the server ends it. */
const raw = async (text: string, of = server): Promise<string> => {
  const socket = connect(Number(new URL(of.url).port), '127.0.0.1');
  let told = '';
  socket.on('data', (chunk) => (told += chunk.toString()));
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return told;
};

it('a thousand bodies of every kind of wrongness give no 5xx, and the server lives', async () => {
  const statuses = await fuzz(server.url, 1000, Number(process.env['GRANARY_SEED'] ?? 7));
  expect(statuses.get(200)).toBeGreaterThan(50);
  expect(await status()).toBe(200);
});

it('a client that is slow with its head or its body, or speaks no HTTP, is told so and let go; others are served', async () => {
  await using hasty = await serve({ headTimeout: 300, requestTimeout: 600 });
  const head = 'POST /get-online-features HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
  const told = await Promise.all([
    raw(head, hasty),
    raw(`${head}content-length: 50\r\n\r\n{"`, hasty),
    status(hasty),
  ]);
  expect(told).toEqual([
    expect.stringMatching(/^HTTP\/1.1 408/),
    expect.stringMatching(/^HTTP\/1.1 408/),
    200,
  ]);
  expect(await raw('\u0016\u0003\u0001 hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
  expect(await status()).toBe(200);
});

it('an entity whose key holds no hash is INVALID by itself', async () => {
  await using redis = await admin();
  const keys = async (): Promise<string[]> => (await redis.keysBuffer('*')).map((key) => key.toString('hex'));
  const before = await keys();
  await shop.load('users', [aUser({ user_id: 4242n })]);
  const [key = ''] = (await keys()).filter((one) => !before.includes(one));
  await redis.del(Buffer.from(key, 'hex'));
  await redis.set(Buffer.from(key, 'hex'), 'text');
  const { status, text } = await ask(server, {}, [1001, 4242, 99]);
  expect(status).toBe(200);
  expect(text).toContain('"values":[-7,null,null],"statuses":["PRESENT","INVALID","NOT_FOUND"]');
  await redis.del(Buffer.from(key, 'hex'));
});

it('answers 503 while Redis refuses the password, and recovers by itself', async () => {
  await using redis = await admin();
  await redis.config('SET', 'requirepass', 's3cret');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  expect(await ask(server)).toMatchObject({ status: 503, text: expect.stringMatching(/NOAUTH/) as string });
  await redis.auth('s3cret');
  await redis.config('SET', 'requirepass', '');
  expect(await status()).toBe(200);
});

it('answers 503 within seconds while Redis is gone or silent, and recovers by itself', async () => {
  const redis = servers.handle('redis');
  expect(await status()).toBe(200);
  const outages: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
    ['gone', () => redis.kill(), () => redis.start()],
    [
      'silent',
      async () => process.kill(redis.pid ?? 0, 'SIGSTOP'),
      async () => process.kill(redis.pid ?? 0, 'SIGCONT'),
    ],
  ];
  for (const [how, begin, end] of outages) {
    await begin();
    for (const away of await Promise.all([ask(server), ask(server), ask(server)])) {
      expect([how, away.status, away.text]).toEqual([how, 503, expect.stringContaining('redis at redis://')]);
      expect(away.seconds).toBeLessThan(6);
    }
    await end();
    await expect.poll(() => status(), { timeout: 10_000 }).toBe(200);
  }
  await shop.load('users', [aUser()]);
});

it('goes on serving while the Postgres of the registry is gone, and sees what changes after it is back', async () => {
  const postgres = servers.handle('postgres');
  await postgres.kill();
  await expect.poll(() => logged.join('\n'), { timeout: 10_000 }).toContain('the registry is away');
  expect(await status()).toBe(200);
  await postgres.start();
  await expect
    .poll(
      () =>
        shop
          .registry(
            `UPDATE {schema}.resources SET location = 'people' WHERE kind = 'view' AND name = 'users'`,
          )
          .then(() => 'done', String),
      { timeout: 20_000 },
    )
    .toBe('done');
  await expect.poll(() => status(), { timeout: 15_000 }).toBe(404);
  await shop.registry(`UPDATE {schema}.resources SET location = 'users' WHERE location = 'people'`);
  const began = performance.now();
  await expect.poll(() => status(), { timeout: 5000 }).toBe(200);
  expect(performance.now() - began).toBeLessThan(5000);
});

it('takes bearer tokens by role, and a rotated one without a restart', async () => {
  const file = join(tmpdir(), `granary-token-${process.pid}`);
  await writeFile(file, 'first\n');
  process.env['SERVE_TEST_TOKEN'] = 'runner';
  await using guarded = await serve({
    tokens: [
      { role: 'read', secret: fromFile(file) },
      { role: 'run', secret: fromEnv('SERVE_TEST_TOKEN') },
    ],
  });
  const bearer = (token: string): Promise<number> => status(guarded, { authorization: `Bearer ${token}` });
  expect(await status(guarded)).toBe(401);
  expect(await bearer('second')).toBe(401);
  expect(await bearer('')).toBe(401);
  expect(await bearer('first')).toBe(200);
  expect(await bearer('runner')).toBe(200);
  expect((await fetch(`${guarded.url}/health`)).status).toBe(200);
  await writeFile(file, 'second');
  await expect.poll(() => bearer('second'), { timeout: 5000 }).toBe(200);
  expect(await bearer('first')).toBe(401);
  await expect(serve({ tokens: [{ role: 'read', secret: fromEnv('SERVE_TEST_NONE') }] })).rejects.toThrow(
    /SERVE_TEST_NONE/,
  );
});

it('drains: /health says so first, what is under way is finished, nothing new is taken', async () => {
  const leaving = await serve();
  const address = new URL(leaving.url);
  // A request whose body is still coming.
  const socket = connect(Number(address.port), '127.0.0.1');
  const body = JSON.stringify({ features: ['users:small'], entities: { user_id: [1001] } });
  socket.write(
    `POST /get-online-features HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
  );
  let told = '';
  socket.on('data', (chunk) => (told += chunk.toString()));
  await once(socket, 'connect');
  expect((await fetch(`${leaving.url}/health`)).status).toBe(200);
  const drained = leaving.drain(3000);
  expect((await fetch(`${leaving.url}/health`)).status).toBe(503);
  expect(await status(leaving)).toBe(200);
  await expect.poll(() => status(leaving).catch(() => 'refused'), { timeout: 30_000 }).toBe('refused');
  socket.write(body.slice(9));
  await once(socket, 'close');
  expect(told).toMatch(/^HTTP\/1.1 200[^]*"values":\[-7\]/);
  await drained;
});

it('drains in bounded time: clients that never end their requests, or wait for a run, are cut off', async () => {
  let isStarted = false;
  const leaving = await serve({
    drainTimeout: 500,
    materializer: () =>
      Promise.resolve({
        materialize: () => {
          isStarted = true;
          return Promise.resolve({ workflowId: 'w', runId: 'r', result: () => new Promise(() => undefined) });
        },
      }),
  });
  const head = 'POST /get-online-features HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
  const held = [
    raw(`${head}content-length: 50\r\n\r\n{"`, leaving),
    raw(head, leaving),
    fetch(`${leaving.url}/materialize-incremental`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    }).catch(() => 'cut off'),
  ];
  await expect.poll(() => isStarted).toBe(true);
  await expect
    .poll(() => fetch(`${leaving.url}/metrics`).then((answer) => answer.text()))
    .toContain('granary_feature_server_open_requests 3');
  const began = performance.now();
  await leaving.drain();
  expect(performance.now() - began).toBeLessThan(5000);
  expect(await Promise.all(held)).toEqual(['', '', 'cut off']);
  expect(logged.join('\n')).toContain('did not end within 500 ms');
});

it('materializes views by the names that they are served by, and nothing for an empty list', async () => {
  const asked: unknown[] = [];
  await using runs = await serve({
    materializer: () =>
      Promise.resolve({
        materialize: (options: unknown) => {
          asked.push(options);
          return Promise.resolve({ workflowId: 'w', runId: 'r', result: () => Promise.resolve() });
        },
      }),
  });
  const load = async (feature_views: readonly string[], query = ''): Promise<unknown> => {
    const answer = await fetch(`${runs.url}/materialize-incremental${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ feature_views }),
    });
    return [answer.status, await answer.json()];
  };
  await shop.registry(
    `UPDATE {schema}.resources SET location = 'users_v2', variant = 'v2' WHERE kind = 'view' AND name = 'users'`,
  );
  await expect.poll(() => status(runs), { timeout: 5000 }).toBe(404);
  try {
    const views = ['users_v2', 'quiet', 'other'];
    expect(await load(views)).toMatchObject([200, { status: 'completed', feature_views: views }]);
    expect(await load([])).toEqual([200, { status: 'completed', feature_views: [] }]);
    expect(await load([], '?async=true')).toEqual([202, { status: 'accepted', feature_views: [] }]);
    expect(asked).toEqual([{ views: ['users.v2', 'quiet', 'other'] }]);
  } finally {
    await shop.registry(`UPDATE {schema}.resources SET location = 'users' WHERE location = 'users_v2'`);
  }
});
