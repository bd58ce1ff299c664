import { expect, it } from 'vitest';
import { listenOn } from '../../server/server.js';
import { fuzz } from '../support/fuzzed-bodies.js';
import { aUser, served } from '../support/served.js';

it('ten thousand bodies of every kind of wrongness give no 5xx', async () => {
  await using shop = await served();
  await shop.load('users', [aUser()]);
  await using server = await listenOn(shop.open, { port: 0 });
  const seed = Number(process.env['GRANARY_SEED'] ?? Date.now() % 1e9);
  const statuses = await fuzz(server.url, 10_000, seed);
  expect([...statuses.keys()].sort()).toEqual([200, 400, 404, 413, 422].filter((s) => statuses.has(s)));
  expect(statuses.get(200)).toBeGreaterThan(500);
}, 300_000);
