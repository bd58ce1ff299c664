import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listenOn, type FeatureServer } from '../../server/server.js';
import { ownServers, type OwnServers } from '../support/own-servers.js';
import { aUser, served, type Served } from '../support/served.js';
import { until } from '../support/until.js';

const USERS = 30_000;
const AT = 1_767_225_600_000_000n;
let servers: OwnServers;
let shop: Served;
let server: FeatureServer;
let redis: Redis;
const logged: string[] = [];

beforeAll(async () => {
  servers = await ownServers(['redis']);
  shop = await served();
  redis = new Redis(process.env['REDIS_URL'] ?? '');
  redis.on('error', () => undefined);
  await shop.load('users', [
    aUser({ at: AT }),
    ...Array.from({ length: USERS }, (_, i) => ({
      ...{ user_id: 2n ** 53n + BigInt(i), at: AT, visits: BigInt(i), name: `name ${i}`.repeat(10) },
    })),
  ]);
  await shop.load('purchases', [{ user_id: 1n, merchant_id: 'M "9"', spend: 2, visits: null, at: AT + 1n }]);
  server = await listenOn(shop.open, { port: 0, log: (line) => logged.push(line) });
});
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
});

const rows = (view: string): Promise<Response> => fetch(`${server.url}/feature-views/${view}/rows`);
/** How many SCANs the server has executed. */
const scans = async (): Promise<number> =>
  Number(/cmdstat_scan:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);

/** A client that asks for all users and reads nothing. */
async function unread(): Promise<AsyncDisposable> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write('GET /feature-views/users/rows HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'connect');
  return {
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await once(socket, 'close');
    },
  };
}

/** Waits until no SCAN has come for a while; resolves to how many there were. */
async function settled(): Promise<number> {
  let before = -1;
  await until(
    'no more SCANs',
    async () => {
      const now = await scans();
      const isSame = now === before;
      before = now;
      if (!isSame) await sleep(200);
      return isSame;
    },
    { timeoutMs: 10_000 },
  );
  return before;
}

it('lists every entity of a view once, a JSON object a line, in the words of the answers', async () => {
  const answer = await rows('users');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    'application/x-ndjson; charset=utf-8',
  ]);
  const lines = (await answer.text()).trimEnd().split('\n');
  expect(lines).toHaveLength(USERS + 1);
  expect(new Set(lines.map((line) => /"user_id":(\d+)/.exec(line)?.[1])).size).toBe(USERS + 1);
  expect(lines.find((line) => line.startsWith('{"user_id":1001,'))).toBe(
    String.raw`{"user_id":1001,"visits":9007199254740993,"spend":12.0,"ratio":3.140000104904175,"name":"Zoë \"Z\"\n","is_new":false,"seen":1767225600,"raw":"AP8Q","small":-7,"tags":["a","","ż"],"scores":[1.0,0.1,-0.0],"ids":[-1,4611686018427387904],"flags":[true,false],"event_timestamp":"2026-01-01T00:00:00Z"}`,
  );
  expect(await (await rows('purchases')).text()).toBe(
    String.raw`{"user_id":1,"merchant_id":"M \"9\"","spend":2.0,"visits":null,"event_timestamp":"2026-01-01T00:00:00.000001Z"}` +
      '\n',
  );
  const some = await fetch(`${server.url}/feature-views/purchases/rows?features=visits`);
  expect(Object.keys((await some.json()) as object)).toEqual([
    'user_id',
    'merchant_id',
    'visits',
    'event_timestamp',
  ]);
  expect(await (await rows('quiet')).text()).toBe('');
});

it.each([
  ['user', '', /user does not exist.*Did you mean \\+"users/],
  ['training_only', '', /not served online/],
  ['users', '?features=visit', /visit does not exist.*Did you mean \\+"visits/],
])('of %s%s there are none: 404', async (view, query, message) => {
  const answer = await fetch(`${server.url}/feature-views/${view}/rows${query}`);
  expect([answer.status, await answer.text()]).toEqual([404, expect.stringMatching(message)]);
});

it('reads no further than its client, and stops when the client goes', async () => {
  const before = await scans();
  const all = Math.floor(USERS / 1000);
  {
    await using _ = await unread();
    await until('the first SCAN', async () => (await scans()) > before, { timeoutMs: 5000 });
    expect((await settled()) - before).toBeLessThan(all);
  }
  expect((await settled()) - before).toBeLessThan(all);
  await until(
    'no request under way',
    async () => (await (await fetch(`${server.url}/metrics`)).text()).includes('open_requests 1\n'),
    { timeoutMs: 5000 },
  );
});

it('breaks an answer off where Redis goes in the middle, and says 503 where it was away before', async () => {
  const answer = await rows('users');
  const body = answer.body?.getReader();
  await body?.read();
  await settled();
  await servers.handle('redis').kill();
  const rest = (async () => {
    for (;;) if ((await body?.read())?.done !== false) return 'whole';
  })();
  await expect(rest).rejects.toThrow();
  expect(logged.join('\n')).toMatch(/the rows of users were broken off: redis at redis:/);
  expect((await rows('users')).status).toBe(503);
  await servers.handle('redis').start();
});

it('answers HEAD without reading the view, and a name of any length in words', async () => {
  const before = await settled();
  const head = await fetch(`${server.url}/feature-views/users/rows`, { method: 'HEAD' });
  expect([head.status, await settled()]).toEqual([404, before]);
  const long = await rows('v'.repeat(300));
  expect([long.status, await long.text()]).toEqual([404, expect.stringContaining('does not exist')]);
});
