import { randomBytes } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  featureSet,
  pipeline,
  redisStore,
  sql,
  t,
  type BuildContext,
  type Project,
} from '../../definitions/index.js';
import { lake, SALES, sales, shop, totalsOf, writeSales, type Shop } from '../fixtures/shop.js';
import { query } from '../support/duckdb.js';
import { failureOf } from '../support/failure.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `e${randomBytes(5).toString('hex')}`;

interface Case {
  readonly what: string;
  readonly code: string;
  readonly message: RegExp;
  /** Makes the shop wrong. */
  readonly make: (name: string, folder: string) => Promise<Shop>;
}

const of = (build: ReturnType<typeof sql>, over: object = {}): Parameters<typeof shop>[2] => ({
  totals: totalsOf({ build, ...over }),
});
const rows = (values: string): string => `SELECT * FROM (VALUES ${values}) t(user_id, sold_at, amount)`;
const after =
  (act: (file: string) => Promise<unknown>): Case['make'] =>
  async (name, folder) => {
    const made = await shop(name, folder);
    await act(join(folder, 'raw', 'sales.parquet'));
    return made;
  };

const CASES: readonly Case[] = [
  {
    what: 'a build without event_timestamp',
    code: 'MissingTimestamp',
    message: /totals.*no event_timestamp/,
    make: (n, f) =>
      shop(n, f, of(sql`SELECT user_id, sum(amount) AS total, count(*) AS n FROM ${sales} GROUP BY 1`)),
  },
  {
    what: 'a NULL event timestamp',
    code: 'MissingTimestamp',
    message: /event_timestamp.*NULL|NULL.*event_timestamp/,
    make: (n, f) =>
      shop(
        n,
        f,
        of(
          sql`SELECT user_id, CAST(NULL AS TIMESTAMPTZ) AS event_timestamp, 1.0::DOUBLE AS total, 1::BIGINT AS n FROM ${sales}`,
        ),
      ),
  },
  {
    what: 'a source file that is absent',
    code: 'SourceMissing',
    message: /source\/sales.*sales\*\.parquet does not exist.*Put the file there/,
    make: after((file) => rm(file)),
  },
  {
    what: 'a source file that is empty',
    code: 'SourceEmpty',
    message: /sales\.parquet/,
    make: after((file) => truncate(file, 0)),
  },
  {
    what: 'a source file that is truncated',
    code: 'SourceInvalid',
    message: /sales\.parquet/,
    make: after((file) => truncate(file, 200)),
  },
  {
    what: 'a source file that is no Parquet',
    code: 'SourceInvalid',
    message: /sales\.parquet/,
    make: after((file) => writeFile(file, 'user_id,at,amount\n1,2,3\n')),
  },
  {
    what: 'a source of another schema',
    code: 'SchemaMismatch',
    message: /amount.*float64/s,
    make: (n, f) =>
      shop(n, f, { rows: `SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-02' AS sold_at, 'ten' AS amount` }),
  },
  {
    what: 'a source that lacks a column',
    code: 'SchemaMismatch',
    message: /"amount"/,
    make: (n, f) => shop(n, f, { rows: `SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-02' AS sold_at` }),
  },
  {
    what: 'a NULL key',
    code: 'NullKey',
    message: /user_id/,
    make: (n, f) => shop(n, f, { rows: rows(`(NULL::BIGINT, TIMESTAMP '2026-01-02', 1.0::DOUBLE)`) }),
  },
  {
    what: 'an int64 overflow',
    code: 'ValueOutOfRange',
    message: /"n".*int64/s,
    make: (n, f) =>
      shop(
        n,
        f,
        of(
          sql`SELECT user_id, max(sold_at) AS event_timestamp, 1.0::DOUBLE AS total, sum(9223372036854775807::HUGEINT + 1) AS n FROM ${sales} GROUP BY 1`,
        ),
      ),
  },
  {
    what: 'NaN for an int64',
    code: 'ValueOutOfRange',
    message: /nan/i,
    make: (n, f) =>
      shop(
        n,
        f,
        of(
          sql`SELECT user_id, max(sold_at) AS event_timestamp, 1.0::DOUBLE AS total, CAST('nan'::DOUBLE AS BIGINT) AS n FROM ${sales} GROUP BY 1`,
        ),
      ),
  },
  {
    what: 'a finite value beyond float32 in a float32 feature',
    code: 'ValueOutOfRange',
    message: /"total".*float32/s,
    make: (n, f) =>
      shop(
        n,
        f,
        of(
          sql`SELECT user_id, max(sold_at) AS event_timestamp, 1e300::DOUBLE AS total, 1::BIGINT AS n FROM ${sales} GROUP BY 1`,
        ),
      ),
  },
  {
    what: 'SQL that the engine refuses',
    code: 'QueryFailed',
    message: /totals.*nope/s,
    make: (n, f) => shop(n, f, of(sql`SELECT nope FROM ${sales}`)),
  },
  {
    what: 'a validation rule that fails',
    code: 'ValidationFailed',
    message: /totals for 2026-01-02 was not published.*total.*previous version stays/s,
    make: (n, f) =>
      shop(
        n,
        f,
        of(
          sql`SELECT user_id, max(sold_at) AS event_timestamp, CAST(NULL AS DOUBLE) AS total, 1::BIGINT AS n FROM ${sales} GROUP BY 1`,
        ),
      ),
  },
  {
    what: 'a TypeScript build that throws',
    code: 'BuildFailed',
    message: /The build of totals threw: out of cheese.*retries\.max is 1/s,
    make: (n, f) =>
      shop(n, f, {
        totals: totalsOf({
          build: async function* () {
            throw new Error('out of cheese');
          },
        }),
      }),
  },
  {
    what: 'a build that takes longer than its timeout',
    code: 'TimedOut',
    message: /totals took longer than its timeout of 1s.*given up after 2 errors; retries\.max is 1/s,
    make: (n, f) =>
      shop(n, f, {
        totals: totalsOf({
          timeout: '1s',
          build: async function* ({ signal }: BuildContext) {
            await new Promise((_, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason as Error)),
            );
            yield [];
          },
        }),
      }),
  },
  {
    what: 'a TypeScript build that yields NaN for an int64',
    code: 'ValueOutOfRange',
    message: /"n".*int64/s,
    make: (n, f) =>
      shop(n, f, {
        totals: totalsOf({
          build: async function* () {
            yield { user_id: 1n, event_timestamp: '2026-01-03', total: 1, n: Number.NaN };
          },
        }),
      }),
  },
  {
    what: 'an online store that does not answer',
    code: 'ProviderUnreachable',
    message: /127\.0\.0\.1:1\b/,
    make: (n, f) =>
      shop(n, f, { online: redisStore({ url: 'redis://127.0.0.1:1' }), retries: { max: 0, delay: '1s' } }),
  },
  {
    what: 'a store whose setting is missing',
    code: 'ConfigurationMissing',
    message: /GRANARY_TEST_ABSENT/,
    make: (n, f) => shop(n, f, { online: redisStore({ url: { env: 'GRANARY_TEST_ABSENT' } }) }),
  },
];

describe.concurrent('a run fails with a clear error, and leaves nothing half-visible:', () => {
  it.each(CASES)('$what -> $code', async ({ code, message, make }) => {
    const name = unique();
    const { project, lake: folder } = await make(name, join(world.folder, name));
    await world.withWorker(project, async (client) => {
      const run = await client.run('shop_daily', { date: '2026-01-02' });
      const failure = await failureOf(run.result());
      expect(failure.message).toMatch(message);
      expect(failure.nonRetryable).toBe(true);
      const details = failure.details as [{ failures: { code: string }[] }];
      expect(details[0].failures.map((f) => f.code)).toContain(code);
      expect((await client.status(run.runId))?.status).toBe('FAILED');
    });
    const published = await query(`SELECT count(*) AS n FROM glob('${folder}/totals/**')`);
    const online = await world.online(`${name}_dev`);
    if (code !== 'ProviderUnreachable' && code !== 'ConfigurationMissing' && !/float32/.test(String(message)))
      expect(published).toEqual([{ n: 0n }]);
    expect(online.size).toBe(0);
  });
});

describe('a failed validation', () => {
  it('leaves the previous version, latest and the online values as they were; a run after the repair succeeds', async () => {
    const name = unique();
    const { project, view, lake: folder } = await shop(name, join(world.folder, name));
    await world.withWorker(project, async (client) => {
      await (await client.run('shop_daily', { date: '2026-01-01' })).result();
      const before = [
        await query(`SELECT * FROM '${folder}/totals/latest/features.parquet'`),
        await client.features(view, [{ user_id: 1n }]),
      ];
      await writeSales(join(world.folder, name), rows(`(1::BIGINT, TIMESTAMP '2026-01-02', NULL::DOUBLE)`));
      const failure = await failureOf((await client.run('shop_daily', { date: '2026-01-02' })).result());
      expect(failure.message).toMatch(/total: 1 of 1 rows? .*NULL|total.*NULL/);
      expect([
        await query(`SELECT * FROM '${folder}/totals/latest/features.parquet'`),
        await client.features(view, [{ user_id: 1n }]),
      ]).toEqual(before);
      await writeSales(join(world.folder, name), SALES);
      await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      const [row] = await client.features(view, [{ user_id: 1n }]);
      expect(row?.values).toEqual({ total: 30, n: 2n });
    });
  });
});

describe('a definition that changed under its variant', () => {
  it('is refused field by field, and nothing is registered', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const first = await shop(name, folder, { variant: 'demo' });
    await world.withWorker(
      first.project,
      async (client) => void (await (await client.run('shop_daily', { date: '2026-01-01' })).result()),
    );
    const before = await world.registry(
      first.project,
      'SELECT id, fingerprint FROM {schema}.resources ORDER BY id',
    );
    const second: Project = (
      await shop(name, folder, {
        variant: 'demo',
        totals: totalsOf({ lookback: '3d' }),
        more: [
          featureSet('extra', {
            store: lake,
            timestampField: 'sold_at',
            schema: { sold_at: t.timestamp },
            build: sql`SELECT sold_at FROM ${sales}`,
          }),
        ],
      })
    ).project;
    await world.withWorker(second, async (client) => {
      const failure = await failureOf((await client.run('shop_daily', { date: '2026-01-02' })).result());
      expect(failure.type).toBe('ResourceChanged');
      expect(failure.message).toBe(
        'SOURCE_VARIANT totals (demo) has changed. Please use a new variant.\n  lookback: (absent) -> "3d"',
      );
    });
    expect(
      await world.registry(first.project, 'SELECT id, fingerprint FROM {schema}.resources ORDER BY id'),
    ).toEqual(before);
  });

  it('without a variant of its own is built beside the default, which readers go on seeing', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const first = await shop(name, folder);
    await world.withWorker(
      first.project,
      async (client) => void (await (await client.run('shop_daily', { date: '2026-01-01' })).result()),
    );
    const second = await shop(name, folder, { totals: totalsOf({ lookback: '0d' }) });
    await world.withWorker(second.project, async (client) => {
      const result = await (await client.run('shop_daily', { date: '2026-01-01' })).result();
      expect(result.steps.find((step) => step.step.startsWith('source/totals'))?.location).toMatch(
        /\/lake\/totals_[0-9a-f]{8}\/v_/,
      );
    });
    const [pointer] = await query(
      `SELECT count(*) AS n FROM glob('${folder}/lake/totals/v_*/features.parquet')`,
    );
    expect(pointer).toEqual({ n: 1n });
  });
});

const INPUTS: readonly [unknown, string, RegExp][] = [
  ['x', 'InvalidInput', /must be one JSON object, not a string.*\{"pipeline"/],
  [[1], 'InvalidInput', /not a list/],
  [{ pipline: 'shop_daily' }, 'InvalidInput', /unknown field "pipline".*Did you mean "pipeline"\?/],
  [
    { date: 5, rebuild: 'yes' },
    'InvalidInput',
    /"date" must be a text, not 5; "rebuild" must be true or false, not "yes"/,
  ],
  [{ date: '2026-01-02', from: '2026-01-02', to: '2026-01-03' }, 'InvalidInput', /not both/],
  [{ from: '2026-01-02' }, 'InvalidInput', /"from" and "to" go together/],
  [{ pipeline: 'shop_dayly' }, 'UnknownResource', /no pipeline "shop_dayly"\. Did you mean "shop_daily"\?/],
  [{ targets: ['totls'] }, 'UnknownResource', /no target "totls"\. Did you mean "totals"\?/],
  [
    { targets: ['totals'] },
    'InvalidInput',
    /names source\/totals\.\w+ and view\/totals\.\w+\. Write one of these/,
  ],
  [{ date: 'yesterday' }, 'InvalidInterval', /not a date.*"2001-03-04"/],
  [{ date: '2025-12-31' }, 'InvalidInterval', /before the pipeline's startDate/],
  [{ from: '2026-01-02', to: '2026-01-02' }, 'InvalidInterval', /is empty/],
  [{ from: '2026-01-02', to: '2026-01-04' }, 'InvalidInterval', /no interval of the schedule/],
];

describe('an empty box in a project with several pipelines', () => {
  it('is refused with their names', async () => {
    const name = unique();
    const totals = totalsOf();
    const { project } = await shop(name, join(world.folder, name), {
      totals,
      more: [
        pipeline('weekly', { targets: [totals], schedule: { cron: '0 0 * * 1' }, startDate: '2026-01-01' }),
      ],
    });
    await world.withWorker(project, async () => {
      const failure = await failureOf(
        world.temporal.workflow.execute('pipeline', {
          workflowId: unique(),
          taskQueue: `granary-${name}-dev`,
        }),
      );
      expect(failure.type).toBe('InvalidInput');
      expect(failure.message).toBe(
        'The project has several pipelines: shop_daily, weekly. Name one: {"pipeline": "shop_daily"}.',
      );
    });
  });
});

describe('what somebody types into the UI', () => {
  it('fails at once, non-retryable, with a message that names the field and shows what is right', async () => {
    const name = unique();
    const { project } = await shop(name, join(world.folder, name));
    await world.withWorker(project, async () => {
      for (const [input, code, message] of INPUTS) {
        const failure = await failureOf(
          world.temporal.workflow.execute('pipeline', {
            workflowId: unique(),
            taskQueue: `granary-${name}-dev`,
            args: [input],
          }),
        );
        expect([input, failure.type, failure.nonRetryable]).toEqual([input, code, true]);
        expect(failure.message).toMatch(message);
      }
      const view = await failureOf(
        world.temporal.workflow.execute('materialize', {
          workflowId: unique(),
          taskQueue: `granary-${name}-dev`,
          args: [{ views: 'totals', date: '2026-01-05' }],
        }),
      );
      expect(view.message).toMatch(
        /"views" must be a list of texts.*"date" goes with "view" alone.*\{"views":\["user_features"\]/,
      );
      const set = await failureOf(
        world.temporal.workflow.execute('trainingSet', {
          workflowId: unique(),
          taskQueue: `granary-${name}-dev`,
          args: [{ trainingSet: 'view/totals' }],
        }),
      );
      expect(set.message).toMatch(/makes a trainingSet; "view\/totals\.\w+" is none/);
    });
  });
});
