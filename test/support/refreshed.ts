import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { GranaryClient, type RunResult } from '../../client/index.js';
import { shop, writeSales, type Shop } from '../fixtures/shop.js';
import type { MaterializeInput } from '../../workflows/index.js';
import type { World } from './world.js';

/** Sales of the first days: of each user, the day of January and the amount. */
export type Sales = readonly (readonly [user: number, day: number, amount: number])[];

export const FULL: Sales = [
  [1, 1, 10],
  [1, 2, 20],
  [2, 2, 5.5],
  [3, 1, 1],
];
/** Users 2 and 3 never were. */
export const CORRECTED: Sales = FULL.filter(([user]) => user === 1);

const toSql = (sales: Sales): string =>
  `SELECT * FROM (VALUES ${sales
    .map(
      ([user, day, amount]) => `(${user}::BIGINT, TIMESTAMP '2026-01-0${day} 10:00:00', ${amount}::DOUBLE)`,
    )
    .join(', ')}) t(user_id, sold_at, amount)`;

/** A shop of which the first two days are online with users 1, 2 and 3, and then without 2 and 3 in the feature set alone. */
export async function outdated(
  world: World,
  options: Parameters<typeof shop>[2] = {},
): Promise<{ readonly shop: Shop; readonly folder: string; readonly name: string }> {
  const name = `f${randomBytes(5).toString('hex')}`;
  const folder = join(world.folder, name);
  const made = await shop(name, folder, { ...options, rows: toSql(FULL) });
  await world.withWorker(made.project, async (client) => {
    for (const date of ['2026-01-01', '2026-01-02'])
      await (await client.run('shop_daily', { date })).result();
    await sell(folder, CORRECTED);
    for (const date of ['2026-01-01', '2026-01-02'])
      await (await client.run('shop_daily', { date })).result();
  });
  return { shop: made, folder, name };
}

export const sell = (folder: string, sales: Sales): Promise<void> => writeSales(folder, toSql(sales));

export async function startRefresh(
  { temporal }: World,
  { project }: Shop,
  input: Partial<MaterializeInput> = {},
): Promise<WorkflowHandle<() => Promise<RunResult>>> {
  return await temporal.workflow.start('materialize', {
    taskQueue: `granary-${project.name}-dev`,
    workflowId: `refresh-${randomBytes(5).toString('hex')}`,
    args: [{ view: 'totals', fullRefresh: true, ...input }],
  });
}

/** The totals of users 1, 2 and 3 as readers see them. */
export async function totals({ project, view }: Shop): Promise<(number | null)[]> {
  const client = await GranaryClient.connect({ project });
  try {
    const found = await client.features(view, [{ user_id: 1n }, { user_id: 2n }, { user_id: 3n }]);
    return found.map(({ values }) => values.total);
  } finally {
    await client.close();
  }
}

/** How many entities have a mark of ours in Redis and no row. */
export async function tombstones(world: World, { project }: Shop): Promise<number> {
  const hex = (text: string): string => Buffer.from(text).toString('hex');
  return [...(await world.online(`${project.name}_dev`)).values()].filter(
    (fields) => hex('__granary:totals') in fields && !(hex('_ts:totals') in fields),
  ).length;
}
