import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GranaryClient } from '../../client/index.js';
import { featureView, sql, intervalEnd, type Project } from '../../definitions/index.js';
import {
  online as onlineStore,
  postgresOnline,
  sales,
  shop,
  shopIn,
  totalsOf,
  user,
  writeSales,
  type Shop,
} from '../fixtures/shop.js';
import { openLake } from '../support/lake.js';
import { createWorld, type World } from '../support/world.js';

const DAY = '2026-01-02';
let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Sums doubled, of users other than 2, under another variant; the view over it has other features. */
const second = totalsOf({
  variant: 'v2',
  build: sql`SELECT user_id, ${intervalEnd} AS event_timestamp, 2 * sum(amount) AS total, count(*) AS n FROM ${sales} WHERE user_id <> 2 GROUP BY user_id`,
});
const secondView = featureView('totals', {
  variant: 'v2',
  entities: [user],
  source: second,
  features: { total: { column: 'total' }, buys: { column: 'n' } },
  online: onlineStore,
});

interface Made {
  readonly name: string;
  readonly folder: string;
  readonly one: Shop;
  readonly project: Project;
}

/** A shop whose daily run made both variants, the first being the default. */
async function made(options: Parameters<typeof shop>[2] = {}): Promise<Made> {
  const name = `p${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  await writeSales(folder);
  const common = { ...options, variant: 'v1' };
  const one = shopIn(name, folder, common);
  await world.withWorker(one.project, async (client) => {
    await (await client.run('shop_daily', { date: DAY })).result();
  });
  const { project } = shopIn(name, folder, { ...common, more: [secondView] });
  return { name, folder, one, project };
}

/** Both features of all users, as one who reads by the plain name sees them. */
const online = async (project: Project): Promise<unknown[]> => {
  const client = await GranaryClient.connect({ project });
  try {
    const found = await client.features(secondView as never, [{ user_id: 1n }, { user_id: 2n }] as never);
    return found.map(({ values }) => values);
  } finally {
    await client.close();
  }
};

const latest = async ({ lake: address }: Shop, folder: string): Promise<string> => {
  await using lake = openLake(address);
  return String(await lake.read(`${folder}/latest/features.csv`));
};
const resources = (project: Project): Promise<Record<string, unknown>[]> =>
  world.registry(
    project,
    `SELECT id, location, is_default, promotion FROM {schema}.resources WHERE name = 'totals' ORDER BY id`,
  );
const build = (client: GranaryClient) => client.run('shop_daily', { date: DAY, targets: ['view/totals.v2'] });

describe.each([
  ['Redis', {}],
  ['Postgres', { online: postgresOnline() }],
])('promoting a variant, online in %s', (_, options) => {
  it('changes nothing that readers see before, then everything; and back', async () => {
    const { one, project } = await made(options);
    await world.withWorker(project, async (client) => {
      const before = await online(project);
      expect(before).toEqual([
        { total: 30, n: 2n },
        { total: 5.5, n: 1n },
      ]);
      await (await build(client)).result();
      expect(await online(project)).toEqual(before);

      await (await client.promote('view/totals', { variant: 'v2', reason: 'sums twice' })).result();
      expect(await online(project)).toEqual([
        { total: 60, buys: 2n },
        { total: null, buys: null },
      ]);
      expect(await resources(project)).toMatchObject([
        { id: 'source/totals.v1', location: 'totals', is_default: true },
        { id: 'source/totals.v2', location: 'totals_v2', is_default: false },
        { id: 'view/totals.v1', location: 'totals_v1', is_default: false, promotion: 1 },
        { id: 'view/totals.v2', location: 'totals', is_default: true, promotion: 2 },
      ]);

      const first = await latest(one, 'totals');
      const next = await latest(one, 'totals_v2');
      await (await client.promote('source/totals', { variant: 'v2' })).result();
      expect(await latest(one, 'totals')).toBe(next);
      expect(next).not.toBe(first);

      // The variant that was the default goes on beside it, and disturbs nothing.
      await (await client.run('shop_daily', { date: DAY, rebuild: true })).result();
      expect(await latest(one, 'totals')).toBe(next);
      expect(await latest(one, 'totals_v1')).toBe(first);
      expect((await online(project))[0]).toEqual({ total: 60, buys: 2n });

      await (await client.promote('view/totals', { previous: true })).result();
      await (await client.promote('source/totals', { previous: true })).result();
      expect(await online(project)).toEqual(before);
      expect(await latest(one, 'totals')).toBe(first);
    });
  });
});
