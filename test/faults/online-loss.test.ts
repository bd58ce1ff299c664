import { randomBytes } from 'node:crypto';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GranaryClient } from '../../client/index.js';
import { shop, type Shop } from '../fixtures/shop.js';
import { ownServers, type OwnServers } from '../support/own-servers.js';
import { createWorld, type World } from '../support/world.js';

let servers: OwnServers;
let world: World;
beforeAll(async () => {
  servers = await ownServers(['redis']);
  world = await createWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
});

const total = async (client: GranaryClient, { view }: Shop): Promise<unknown> =>
  (await client.features(view, [{ user_id: 1n }]))[0]?.values.total;
const load = async (client: GranaryClient, date: string): Promise<string | undefined> => {
  const result = await (await client.run('shop_daily', { date })).result();
  return result.steps.find(({ step }) => step.startsWith('view/'))?.outcome;
};

it('an online store that restarts from an older dump, its id still there, is noticed and loaded again', async () => {
  const name = `l${randomBytes(5).toString('hex')}`;
  const made = await shop(name, join(world.folder, name));
  const redis = servers.handle('redis');
  const data = servers.data('redis');
  const dump = join(world.folder, `${name}-dump`);
  await world.withWorker(made.project, async (client) => {
    expect(await load(client, '2026-01-01')).toBe('made');
    expect(await total(client, made)).toBe(10);
    await redis.kill();
    await cp(data, dump, { recursive: true });
    await redis.start();
    expect(await load(client, '2026-01-01')).toBe('current');
    expect(await load(client, '2026-01-02')).toBe('made');
    expect(await total(client, made)).toBe(30);

    await redis.kill();
    await rm(data, { recursive: true });
    await cp(dump, data, { recursive: true });
    await redis.start();
    expect(await total(client, made)).toBe(10);
    // Any run of the view brings everything back that the ledger calls current, also what another day had loaded.
    expect(await load(client, '2026-01-01')).toBe('made');
    expect(await total(client, made)).toBe(30);
    expect(await load(client, '2026-01-02')).toBe('current');
  });
});
