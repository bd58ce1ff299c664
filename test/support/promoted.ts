import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { GranaryClient } from '../../client/index.js';
import { readValues, registeredView } from '../../client/features.js';
import type { Project } from '../../definitions/index.js';
import { openProject } from '../../providers/bind.js';
import { openRegistry } from '../../registry/registry.js';
import { secondView, twoVariants } from '../fixtures/promoted.js';
import { writeSales, type Shop } from '../fixtures/shop.js';
import { openLake } from './lake.js';
import type { World } from './world.js';

export const DAY = '2026-01-02';

export interface Variants {
  readonly name: string;
  readonly folder: string;
  readonly first: Shop;
  readonly both: Project;
}

/** Two variants, of which the first is made and the default, and the second is only declared. */
export async function declared(
  world: World,
  options: Parameters<typeof twoVariants>[2] = {},
): Promise<Variants> {
  const name = `p${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  await writeSales(folder);
  const { first, both } = twoVariants(name, folder, options);
  await world.withWorker(first.project, async (client) => {
    await (await client.run('shop_daily', { date: DAY })).result();
  });
  return { name, folder, first, both };
}

/** Makes the second variant beside the first. */
export const makeSecond = async (client: GranaryClient): Promise<unknown> =>
  await (await client.run('shop_daily', { date: DAY, targets: ['view/totals.v2'] })).result();

/** What one who reads the view by its plain name sees of users 1 and 2. */
export async function online(project: Project): Promise<unknown[]> {
  const client = await GranaryClient.connect({ project });
  try {
    const found = await client.features(secondView, [{ user_id: 1n }, { user_id: 2n }]);
    return found.map(({ values }) => values);
  } finally {
    await client.close();
  }
}

/** What a variant's own rows are, under whichever name they lie, of users 1 and 2; null where there is none. */
export async function onlineAs(project: Project, variant: string): Promise<unknown[]> {
  const open = openProject(project);
  const registry = openRegistry(open.registry);
  try {
    const view = registeredView(await registry.resources.all(), 'totals', variant);
    const found = await readValues(open, view, [{ user_id: 1n }, { user_id: 2n }]);
    return found.map(({ values, eventTime }) => (eventTime === undefined ? null : values));
  } finally {
    await registry.close();
    await open.providers.close();
  }
}

export const ONLINE = {
  first: [
    { total: 30, n: 2n },
    { total: 5.5, n: 1n },
  ],
  second: [
    { total: 60, buys: 2n },
    { total: null, buys: null },
  ],
} as const;

/** `latest/features.csv` of a name in the lake. */
export async function latest({ lake: address }: Shop, folder: string): Promise<string> {
  await using lake = openLake(address);
  return String(await lake.read(`${folder}/latest/features.csv`));
}

/** Where each variant lies and what it is. */
export const variants = (world: World, project: Project): Promise<Record<string, unknown>[]> =>
  world.registry(
    project,
    `SELECT id, location, is_default, promotion FROM {schema}.resources WHERE name = 'totals' ORDER BY id`,
  );
