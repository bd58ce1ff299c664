import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { featureField, timestampField } from '../../feast/redis-layout.js';
import { encodeTimestamp } from '../../feast/timestamp.js';
import { bank } from '../fixtures/bank.js';
import { postgresOnline, shop, shopIn, writeSales } from '../fixtures/shop.js';
import { failureOf } from '../support/failure.js';
import { shopCommand } from '../support/granary-command.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `v${randomBytes(5).toString('hex')}`;
const NONE = { newer: 0, missing: 0, different: 0, examples: [] };

describe('granary verify', () => {
  it('finds what was changed by hand, what is gone, what is newer and what is not loaded', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    await writeSales(folder);
    const { project, view } = shopIn(name, folder);
    await world.withWorker(project, async (client) => {
      const record = async (date: string): Promise<unknown> =>
        (await client.run('shop_daily', { date, targets: ['source/totals'] })).result();
      await record('2026-01-02');
      await (await client.materialize()).result();
      expect(await client.verify(view)).toEqual({
        view: expect.stringMatching(/^view\/totals\.\w+$/) as unknown,
        location: expect.stringMatching(/^redis at /) as unknown,
        ...{ entities: 3, compared: 3, equal: 3, ...NONE },
        notLoaded: [],
      });
      const keys = (await world.redis.keysBuffer(`*user_id*${name}_dev`)).sort((a, b) => a.compare(b));
      const [changed, gone, newer] = keys as [Buffer, Buffer, Buffer];
      await world.redis.hset(changed, Buffer.from(featureField('totals', 'n')), Buffer.from([0x20, 99]));
      await world.redis.del(gone);
      // As Feast writes a row of a later time.
      await world.redis.hset(
        newer,
        Buffer.from(timestampField('totals')),
        Buffer.from(encodeTimestamp(1_800_000_000_000_000n)),
        Buffer.from(featureField('totals', 'n')),
        Buffer.from([0x20, 7]),
      );
      const found = await client.verify('totals', { all: true });
      expect(found).toMatchObject({ compared: 3, equal: 0, newer: 1, missing: 1, different: 1 });
      expect(found.examples).toHaveLength(2);
      const command = await shopCommand({ project }, folder, 'verify', 'totals');
      expect(command).toMatchObject({ status: 1, stderr: '' });
      expect(command.stdout).toMatch(/^missing +1\ndifferent +1$/m);
      expect(command.stdout).toMatch(/^ {2}\{user_id: \d+\}: the feature n is 99 online and \d offline$/m);
      expect(command.stdout).toMatch(/^ {2}\{user_id: \d+\}: there is no row online$/m);

      await record('2026-01-03');
      expect(await client.verify(view)).toMatchObject({
        different: 1,
        notLoaded: [{ start: '2026-01-03T00:00:00Z', end: '2026-01-04T00:00:00Z' }],
      });
      await (await client.materialize()).result();
      expect(await client.verify(view)).toMatchObject({ equal: 2, newer: 1, missing: 0, different: 0 });
    });
  });

  it('reads a store in Postgres as well', async () => {
    const name = unique();
    const { project, view } = await shop(name, join(world.folder, name), { online: postgresOnline() });
    await world.withWorker(project, async (client) => {
      await (await client.run('shop_daily', { date: '2026-01-02', targets: ['source/totals'] })).result();
      const { steps } = await (await client.materialize()).result();
      expect(steps[0]?.check).toEqual({ compared: 3, newer: 0, missing: 0, different: 0 });
      expect(await client.verify(view)).toMatchObject({ compared: 3, equal: 3, ...NONE });
    });
  });

  it('looks into tables of Postgres, with and without timestamps; so does the check after a load', async () => {
    const name = unique();
    await world.pg.query(
      `CREATE SCHEMA ${name};
       CREATE TABLE ${name}.transactions AS SELECT * FROM (VALUES
         ('C1'::text, 25::float8, timestamptz '2026-01-01 11:33:09+00', false), ('C2', 300, '2026-01-02 10:00:00+00', true),
         ('C2', 338, '2026-01-03 10:00:00.000001+00', true)) t(customerid, transactionamount, "timestamp", isfraud)`,
    );
    const { project, average, last } = bank(name, name, {
      unscheduled: true,
      lake: join(world.folder, name),
    });
    try {
      await world.withWorker(project, async (client) => {
        for (const view of ['avg_transactions', 'last_amount'])
          await (
            await world.temporal.workflow.start('materialize', {
              taskQueue: `granary-${name}-dev`,
              workflowId: unique(),
              args: [{ view }],
            })
          ).result();
        for (const view of [average, last])
          expect(await client.verify(view, { all: true })).toMatchObject({ compared: 2, equal: 2, ...NONE });
        const [key] = await world.redis.keysBuffer(`*C1*${name}_dev`);
        const fieldOf = (view: string): Buffer => Buffer.from(featureField(view, view));
        for (const view of ['avg_transactions', 'last_amount'])
          await world.redis.hdel(key as Buffer, fieldOf(view));
        for (const view of [average, last])
          expect(await client.verify(view)).toMatchObject({
            ...{ equal: 1, different: 1 },
            examples: [{ entity: { user_id: '"C1"' }, feature: view.name, offline: '25', online: 'NULL' }],
          });
        // The same row of the same time again: it is left as it is, and found.
        const again = client.materialize({ views: [last], from: '2026-01-01', to: '2026-01-02' });
        expect(await failureOf((await again).result())).toMatchObject({
          type: 'OnlineMismatch',
          message: expect.stringMatching(
            /\{user_id: "C1"\}: the feature last_amount is NULL online and 25 offline/,
          ) as unknown,
        });
      });
    } finally {
      await world.pg.query(
        `DROP SCHEMA ${name} CASCADE; DROP SCHEMA IF EXISTS granary_${name}_dev_offline CASCADE`,
      );
    }
  });
});
