import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  defineProject,
  entity,
  feature,
  fromEnv,
  intervalEnd,
  onlineStore,
  pipeline,
  postgresDatabase,
  postgresProvider,
  redisStore,
  sql,
  t,
  type Project,
} from '../../definitions/index.js';
import { sales, shop, totalsOf } from '../fixtures/shop.js';
import { createWorld, type World } from '../support/world.js';
import { failureOf } from '../support/failure.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const NONE = { max: 0, delay: '1s' } as const;
const LONG = 20_100;

/** A day's run that fails, and what is kept of the step that is to blame. */
async function failedDay(project: Project, name: string, step: string) {
  return await world.withWorker(project, async (client) => {
    const run = await client.run(name, { date: '2026-01-02' });
    const failure = await failureOf(run.result());
    const { logs } = await client.runs.logs(run.runId, { step });
    const { steps } = await client.runs.get(run.runId);
    return { failure, logs, shown: steps.find((one) => one.step.startsWith(step)) };
  });
}

describe('the log of a step', () => {
  it('has the SQL that was sent, cut where it is long, and what DuckDB said', async () => {
    const name = `l${randomBytes(5).toString('hex')}`;
    const text = 'very '.repeat(60_000);
    const long = sql(Object.assign([text], { raw: [text] }));
    const { project } = await shop(name, join(world.folder, name), {
      retries: NONE,
      totals: totalsOf({
        build: sql`SELECT user_id, ${intervalEnd} AS event_timestamp, sum(CASE WHEN amount > 15 THEN error('postgres://ada:hunter2@db/x ${long}') ELSE amount END) AS total, count(*) AS n FROM ${sales} GROUP BY user_id`,
      }),
    });
    const { logs, shown, failure } = await failedDay(project, 'shop_daily', 'source/totals');
    const statement = logs.flatMap(({ statements }) => statements).find(({ error }) => error !== undefined);
    expect(statement?.sql).toMatch(
      /^.*SELECT.*postgres:\/\/ada:\*\*\*@db\/x very very .*\.\.\. and \d+ more characters$/s,
    );
    expect(statement?.error).toMatch(/ada:\*\*\*@db\/x very .* more characters$/s);
    for (const text of [statement?.sql, statement?.error, shown?.error, logs[0]?.error])
      expect(text?.length).toBeLessThan(LONG);
    expect(JSON.stringify([logs, shown, String(failure)])).not.toContain('hunter2');
  });

  it('bears what a build threw, however long, whatever its characters; and the run ends', async () => {
    const name = `l${randomBytes(5).toString('hex')}`;
    const { project } = await shop(name, join(world.folder, name), {
      retries: NONE,
      totals: totalsOf({
        build: async function* () {
          await Promise.resolve();
          throw new Error(`\0 redis://:hunter2@cache ${'far too long '.repeat(500_000)}`);
        },
      }),
    });
    const { logs, shown } = await failedDay(project, 'shop_daily', 'source/totals');
    expect(logs).toMatchObject([{ outcome: 'failed', code: 'BuildFailed', attempt: 1 }]);
    for (const text of [logs[0]?.error, shown?.error]) {
      expect(text).toMatch(/The build of .* threw: . redis:\/\/:\*\*\*@cache far too long/s);
      expect(text?.length).toBeLessThan(LONG);
    }
  });

  it('has the SQL that was sent to Postgres, and what Postgres said of it', async () => {
    const name = `l${randomBytes(5).toString('hex')}`;
    await world.pg.query(
      `CREATE SCHEMA ${name}_data; CREATE TABLE ${name}_data.amounts (user_id bigint, amount text); INSERT INTO ${name}_data.amounts VALUES (1, '10'), (2, 'ten')`,
    );
    const warehouse = postgresProvider('warehouse');
    const amounts = warehouse.table('amounts', {
      dbSchema: `${name}_data`,
      schema: { user_id: t.int64, amount: t.string },
    });
    const doubled = warehouse.sql('doubled', {
      query: sql`SELECT user_id, 2 * amount::float8 AS amount FROM ${amounts} /* token = 'hunter2' */`,
      schema: { user_id: t.int64, amount: t.float64 },
      keys: ['user_id'],
    });
    const user = entity('user', { joinKeys: { user_id: t.int64 } });
    const target = feature('doubled', {
      entity: user,
      source: doubled,
      key: 'user_id',
      value: 'amount',
      online: onlineStore('online'),
    });
    const project = defineProject({
      name,
      resources: [
        pipeline('daily', {
          targets: [target],
          schedule: { cron: '0 0 * * *' },
          startDate: '2026-01-01',
          endDate: '2026-01-10',
          retries: NONE,
        }),
      ],
      environments: {
        dev: {
          registry: { url: fromEnv('DATABASE_URL') },
          bind: {
            warehouse: postgresDatabase({ url: fromEnv('DATABASE_URL') }),
            online: redisStore({ url: fromEnv('REDIS_URL') }),
          },
        },
      },
    });
    try {
      const { logs, failure } = await failedDay(project, 'daily', 'source/doubled');
      expect(logs).toMatchObject([{ outcome: 'failed', activity: 'buildRows' }]);
      const statement = logs[0]?.statements.find(({ error }) => error !== undefined);
      expect(statement?.sql).toMatch(
        new RegExp(
          `FROM "${name}_data"\\."amounts".*SELECT user_id, 2 \\* amount::float8 AS amount FROM`,
          's',
        ),
      );
      expect(statement?.error).toBe('invalid input syntax for type double precision: "ten"');
      expect(failure.message).toContain('invalid input syntax for type double precision: "ten"');
      expect(JSON.stringify(logs)).not.toContain('hunter2');
    } finally {
      await world.pg.query(
        `DROP SCHEMA ${name}_data CASCADE; DROP SCHEMA IF EXISTS granary_${name}_dev_offline CASCADE`,
      );
    }
  });
});
