import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntityKeySerializer } from '../../feast/entity-key.js';
import { featureField, redisKey, timestampField } from '../../feast/redis-layout.js';
import { postgresOnline, shop, type Shop } from '../fixtures/shop.js';
import { failureOf } from '../support/failure.js';
import { shopCommand as granary } from '../support/granary-command.js';
import { openLake } from '../support/lake.js';
import { BUCKET } from '../support/s3.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A run that Temporal does not know. */
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const DAYS = ['2026-01-01', '2026-01-02'];

/** How a run that was started fails. */
const failed = async (start: Promise<{ result(): Promise<unknown> }>) =>
  await failureOf((await start).result());

/** Everything that a registry knows of a resource. */
const known = async ({ project }: Shop, id: string): Promise<Record<string, number>> => {
  const tables = ['datasets', 'ledger', 'version_names', 'ownership', 'removals'].map(
    (table) => `SELECT '${table}' AS name, count(*) AS n FROM {schema}.${table} WHERE target LIKE '${id}%'`,
  );
  const rows = await world.registry(
    project,
    [...tables, `SELECT 'resources', count(*) FROM {schema}.resources WHERE id LIKE '${id}%'`].join(
      ' UNION ALL ',
    ),
  );
  return Object.fromEntries(rows.map(({ name, n }) => [String(name), Number(n)]));
};

const nothing = { datasets: 0, ledger: 0, version_names: 0, ownership: 0, removals: 0, resources: 0 };

describe('deleting resources', () => {
  it('takes a view, a training set and a feature set away in turn, and leaves what others have in the stores', async () => {
    const name = `d${randomBytes(5).toString('hex')}`;
    const folder = join(world.folder, name);
    const made = await shop(name, folder);
    // A project with a name that ends alike, with the same views and entities.
    const twin = await shop(`twin_${name}`, join(world.folder, 'twin'));
    const run = async ({ project }: Shop): Promise<void> =>
      await world.withWorker(project, async (client) => {
        for (const date of DAYS) await (await client.run('shop_daily', { date })).result();
      });
    await run(made);
    await run(twin);
    // The hashes of a project; those of the twin end alike.
    const own = async (): Promise<Map<string, Record<string, string>>> =>
      new Map(
        [...(await world.online(`${name}_dev`))].filter(
          ([key]) => !key.endsWith(Buffer.from('twin_').toString('hex')),
        ),
      );
    const twins = await world.online(`twin_${name}_dev`);
    const before = await own();
    // A view of Feast's own in the same hashes.
    const key = Buffer.from(
      redisKey(new EntityKeySerializer([{ name: 'user_id', type: 'int64' }]).serialize([1n]), `${name}_dev`),
    );
    const feast = {
      field: Buffer.from(featureField('clicks', 'n')),
      ts: Buffer.from(timestampField('clicks')),
    };
    await world.redis.hset(key, feast.field, 'value', feast.ts, 'time');
    await world.withWorker(made.project, async (client) => {
      const refused = await granary(made, folder, 'delete', 'source/totals');
      expect(refused).toMatchObject({ status: 1, stdout: '' });
      expect(refused.stderr).toMatch(
        /source\/totals\.\w+ cannot be deleted: view\/totals\.\w+ refers to it: delete that first\. Nothing was changed\. \[RemovalRefused\]/,
      );
      expect((await granary(made, folder, 'delete', 'pipeline/shop_daily')).status).toBe(0);

      const dry = await granary(made, folder, 'delete', 'trainingSet/large_purchases', '--dry-run');
      expect(dry.stdout).toMatch(
        /^Deleting trainingSet\/large_purchases\.\w+ would remove, for good:\n {2}2 versions in file:.*\/lake\/training_sets\/large_purchases\/\n {2}its definition in the registry\nNothing was changed\.\n$/,
      );
      await (await client.remove('large_purchases')).result();
      expect(await known(made, 'trainingSet/large_purchases')).toEqual(nothing);

      const deleted = await granary(made, folder, 'delete', 'view/totals', '--reason', 'not used', '--json');
      expect(JSON.parse(deleted.stdout)).toMatchObject({ versions: 0, entities: 3 });
      const left = await own();
      expect([...left.values()]).toEqual([
        { [feast.field.toString('hex')]: '76616c7565', [feast.ts.toString('hex')]: '74696d65' },
      ]);
      expect(before.size).toBe(3);
      expect(await known(made, 'view/totals')).toEqual(nothing);

      await (await client.remove('source/totals')).result();
      expect(await known(made, 'source/totals')).toEqual(nothing);
      await using lake = openLake(made.lake);
      const files = (await lake.list('.')).filter((path) => !path.includes('_staging/'));
      expect(files.length).toBeGreaterThan(0);
      for (const path of files) expect(path).toMatch(/^(purchases|feast)\//);
      const history = await granary(made, folder, 'history', (await deletedId(made, 'view/totals')) ?? '');
      expect(history.stdout).toMatch(/@\S+ +delete +reason: "not used", entities: 3, versions: 0, run: "/);
    });
    expect(await world.online(`twin_${name}_dev`)).toEqual(twins);
    // Declared still, it comes back with the next run, and so do its versions and values.
    await run(made);
    const again = await own();
    expect(again.size).toBe(3);
  }, 240_000);

  it('removes files in S3 and the tables in Postgres', async () => {
    const name = `d${randomBytes(5).toString('hex')}`;
    const made = await shop(name, join(world.folder, name), {
      lake: `s3://${BUCKET}/${name}`,
      online: postgresOnline(),
    });
    await world.withWorker(made.project, async (client) => {
      for (const date of DAYS) await (await client.run('shop_daily', { date })).result();
      const tables = async (): Promise<unknown[]> =>
        await world.registry(
          made.project,
          `SELECT FROM pg_tables WHERE tablename IN ('${name}_dev_totals', '__granary:${name}_dev_totals')`,
        );
      expect(await tables()).toHaveLength(2);
      await using lake = openLake(made.lake);
      for (const id of ['pipeline/shop_daily', 'trainingSet/large_purchases', 'view/totals', 'source/totals'])
        await (await client.remove(id)).result();
      expect(await tables()).toHaveLength(0);
      expect(await lake.list('totals')).toEqual([]);
      expect(await lake.list('training_sets')).toEqual([]);
      expect(await lake.list('purchases')).not.toEqual([]);
      await (await client.run('shop_daily', { date: DAYS[0] ?? '' })).result();
      expect(await client.features(made.view, [{ user_id: 1n }])).toMatchObject([{ values: { total: 10 } }]);
    });
  }, 240_000);

  it('refuses while a run makes it, while a model was trained on it, and while other variants have no default', async () => {
    const name = `d${randomBytes(5).toString('hex')}`;
    const folder = join(world.folder, name);
    const made = await shop(name, folder, { variant: 'v1' });
    await world.withWorker(made.project, async (client) => {
      await (await client.run('shop_daily', { date: DAYS[0] ?? '' })).result();
      const [version] = await client.resources.versions('large_purchases');
      await client.resources.linkModel('churn.v3', `large_purchases@${version?.version ?? ''}`);
      await (await client.remove('pipeline/shop_daily')).result();
      await expect(failed(client.remove('large_purchases'))).resolves.toMatchObject({
        type: 'RemovalRefused',
        message: expect.stringMatching(
          /the model churn\.v3 was trained on its version v_\w+: delete model\/churn\.v3 first/,
        ) as string,
      });
      await (await client.remove('model/churn.v3')).result();
      await world.registry(
        made.project,
        `INSERT INTO {schema}.runs VALUES ('${UNKNOWN}', 'pipeline/open', 'pipeline', NULL, now(), now() + '1 day', 'RUNNING', '{}', '{}', NULL, now(), NULL)`,
      );
      await world.registry(
        made.project,
        `INSERT INTO {schema}.steps VALUES ('${UNKNOWN}', 'trainingSet/large_purchases.v1', 'RUNNING')`,
      );
      // Temporal knows no such workflow, so it counts as closed and is settled, and the deletion goes on.
      const outcome = await (await client.remove('large_purchases')).result();
      expect(outcome).toEqual({ resource: 'trainingSet/large_purchases.v1', versions: 1 });
      const [settled] = await world.registry(
        made.project,
        `SELECT status FROM {schema}.runs WHERE run_id = '${UNKNOWN}'`,
      );
      expect(settled).toEqual({ status: 'FAILED' });
    });
    const second = await shop(name, folder, { variant: 'v2' });
    await world.withWorker(second.project, async (client) => {
      await (await client.run('shop_daily', { date: DAYS[0] ?? '' })).result();
      await (await client.remove('pipeline/shop_daily')).result();
      await (await client.remove('trainingSet/large_purchases.v2')).result();
      await expect(failed(client.remove('view/totals'))).resolves.toMatchObject({
        message: expect.stringMatching(
          /view\/totals\.v1 cannot be deleted: it is the default variant of totals, which also has v2/,
        ) as string,
      });
      await (await client.remove('view/totals.v2')).result();
      // The default variant's values have other names, and stay.
      expect(await client.features(made.view, [{ user_id: 1n }])).toMatchObject([{ values: { total: 10 } }]);
    });
  }, 240_000);

  it('keeps everybody away from what is being deleted', async () => {
    const name = `d${randomBytes(5).toString('hex')}`;
    const made = await shop(name, join(world.folder, name));
    await world.withWorker(made.project, async (client) => {
      await (await client.run('shop_daily', { date: DAYS[0] ?? '' })).result();
      await world.registry(
        made.project,
        `INSERT INTO {schema}.removals SELECT id, '${UNKNOWN}', 'remove/cut-off', 'ada', NULL FROM {schema}.resources WHERE id LIKE 'view/totals%'`,
      );
      expect((await client.resources.get('view/totals')).status).toBe('DELETING');
      await expect(failed(client.run('shop_daily', { date: DAYS[1] ?? '' }))).resolves.toMatchObject({
        type: 'BeingRemoved',
        message: expect.stringMatching(
          /^view\/totals\.\w+ is being deleted.*granary delete view\/totals/,
        ) as string,
      });
      // Whoever asks again takes the removal over that was cut off; but a pipeline wants the view.
      await expect(failed(client.remove('view/totals'))).resolves.toMatchObject({
        type: 'RemovalRefused',
      });
      await world.registry(made.project, `DELETE FROM {schema}.pipelines`);
      await (await client.remove('large_purchases')).result();
      expect(await (await client.remove('view/totals')).result()).toMatchObject({ entities: 2 });
      expect(await known(made, 'view/totals')).toEqual(nothing);
    });
  }, 240_000);
});

async function deletedId({ project }: Shop, like: string): Promise<string | undefined> {
  const [row] = await world.registry(
    project,
    `SELECT target FROM {schema}.audit WHERE action = 'delete' AND target LIKE '${like}%'`,
  );
  return row && String(row['target']);
}
