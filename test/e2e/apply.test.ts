import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GranaryClient, type ApplyState } from '../../client/index.js';
import { compile, redisStore, type Project } from '../../definitions/index.js';
import { contractOf, contractText, parseContract } from '../../definitions/contract-file.js';
import { applied, type AppliedOptions } from '../fixtures/applied.js';
import { shop, totalsOf, writeSales } from '../fixtures/shop.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const unique = (): string => `a${randomBytes(5).toString('hex')}`;

/** A project in a folder of its own, with sales. */
const made = async (
  options: AppliedOptions = {},
): Promise<{ name: string; folder: string; project: Project }> => {
  const name = unique();
  const folder = join(world.folder, name);
  await writeSales(folder);
  return { name, folder, project: applied(name, folder, options) };
};

const applyAll = async (client: GranaryClient): Promise<ApplyState> => (await client.apply()).result();

const statuses = (state: ApplyState): string[] =>
  state.resources.map(
    ({ type, name, variant, status, error }) =>
      `${type} ${name} (${variant}) ${status}${error === undefined ? '' : `: ${error}`}`,
  );

const ALL_READY = [
  'Entity user () READY',
  'Provider raw () READY',
  'SourceVariant sales (demo) READY',
  'Provider lake () READY',
  'Transformation averages (demo) READY',
  'Provider online () READY',
  'FeatureVariant spending (demo) READY',
  'LabelVariant amount (demo) READY',
  'TrainingSetVariant spending_training (demo) READY',
];

describe('an apply', () => {
  it('registers, makes and loads everything, and a second one has nothing to do', async () => {
    const { project, name } = await made();
    await world.withWorker(project, async (client) => {
      const state = await applyAll(client);
      expect(statuses(state).sort()).toEqual([...ALL_READY].sort());
      expect(state).toMatchObject({ status: 'COMPLETED', error: undefined });
      expect(state.plan?.created).toHaveLength(9);
      expect((await world.online(`${name}_dev`)).size).toBe(3);
      const again = await applyAll(client);
      expect(again).toMatchObject({ status: 'COMPLETED', plan: { created: [], runs: [] } });
      expect(again.run).not.toBe(state.run);
      expect(again.resources.every(({ status }) => status === 'READY')).toBe(true);
      expect(await world.registry(project, `SELECT count(*)::int AS n FROM {schema}.datasets`)).toEqual([
        { n: 2 },
      ]);
    });
  });
});

describe('an apply that changes a definition under the same variant', () => {
  it('is refused field by field, also when the other apply came in between, and nothing is written', async () => {
    const { project, name, folder } = await made();
    const changed = applied(name, folder, { aggregate: 'max' });
    await world.withWorker(project, async (client) => {
      await applyAll(client);
      const other = await GranaryClient.connect({ project: changed });
      try {
        const { refused } = await other.planApply();
        expect(refused).toEqual([
          {
            id: 'source/averages.demo',
            code: 'ResourceChanged',
            message: expect.stringMatching(
              /^SOURCE_VARIANT averages \(demo\) has changed\. Please use a new variant\.\n {2}build\.sql: ".*avg\(amount\).*" -> ".*max\(amount\).*"$/,
            ),
          },
        ]);
        await expect(other.apply()).rejects.toMatchObject({ code: 'ResourceChanged' });
        // Straight to the workflow, as an apply does whose plan was right when it was made.
        const contract = contractOf(compile(changed), changed.environments);
        await world.pg.query(
          `INSERT INTO "granary_${name}_dev".applies (id, workflow_id, actor, contract, status) VALUES ('late_apply', 'x', 'me', $1, 'PENDING')`,
          [JSON.stringify(contract)],
        );
        const handle = await world.temporal.workflow.start('apply', {
          taskQueue: `granary-${name}-dev`,
          workflowId: `${name}-late`,
          args: [{ apply: 'late_apply' }],
        });
        await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'ResourceChanged' } });
        expect(await other.applyStatus('late_apply')).toMatchObject({
          status: 'FAILED',
          error: expect.stringContaining('SOURCE_VARIANT averages (demo) has changed'),
          resources: [],
        });
      } finally {
        await other.close();
      }
      expect(
        await world.registry(
          project,
          `SELECT count(*)::int AS n FROM {schema}.resources WHERE status <> 'READY'`,
        ),
      ).toEqual([{ n: 0 }]);
    });
  });

  it('passes under a new variant, which is built beside the old one', async () => {
    const { project, name, folder } = await made();
    await world.withWorker(project, async (client) => {
      await applyAll(client);
      const second = await GranaryClient.connect({
        project: applied(name, folder, { aggregate: 'max', variant: 'greatest' }),
      });
      try {
        const state = await applyAll(second);
        expect(state.status).toBe('COMPLETED');
        expect(statuses(state)).toContain('FeatureVariant spending (greatest) READY');
        expect(
          await world.registry(
            project,
            `SELECT variant, is_default, location FROM {schema}.resources WHERE kind = 'view' ORDER BY variant`,
          ),
        ).toEqual([
          { variant: 'demo', is_default: true, location: 'spending' },
          { variant: 'greatest', is_default: false, location: 'spending_greatest' },
        ]);
      } finally {
        await second.close();
      }
    });
  });

  it('may change what is for people: tags are united, the description is replaced', async () => {
    const { project, name, folder } = await made({ tags: ['a'], description: 'first' });
    await world.withWorker(project, async (client) => {
      await applyAll(client);
      const second = await GranaryClient.connect({
        project: applied(name, folder, { tags: ['b'], description: 'second' }),
      });
      try {
        const state = await applyAll(second);
        expect(state.plan?.updated).toEqual([
          {
            id: 'source/sales.demo',
            fields: ['description: "first" -> "second"', 'tags: ["a"] -> ["a","b"]'],
          },
        ]);
        expect(state).toMatchObject({ status: 'COMPLETED', plan: { runs: [], created: [] } });
        expect(
          await world.registry(
            project,
            `SELECT about FROM {schema}.resources WHERE id = 'source/sales.demo'`,
          ),
        ).toEqual([{ about: { description: 'second', tags: ['a', 'b'] } }]);
      } finally {
        await second.close();
      }
    });
  });
});

describe('an apply in which something fails', () => {
  it('says so of what depends on it, makes the rest, and makes what failed when it is applied again', async () => {
    const { project, folder } = await made();
    await rm(join(folder, 'raw', 'sales.parquet'));
    await world.withWorker(project, async (client) => {
      const state = await applyAll(client);
      expect(state.status).toBe('FAILED');
      expect(statuses(state).sort()).toEqual(
        [
          'Entity user () READY',
          'Provider raw () READY',
          'Provider lake () READY',
          'Provider online () READY',
          expect.stringMatching(/^SourceVariant sales \(demo\) FAILED: .*sales\.parquet does not exist/),
          'Transformation averages (demo) FAILED: not made, because source sales (demo) failed',
          'FeatureVariant spending (demo) FAILED: not made, because source sales (demo) failed',
          'LabelVariant amount (demo) FAILED: not made, because source sales (demo) failed',
          'TrainingSetVariant spending_training (demo) FAILED: not made, because source sales (demo) failed',
        ].sort((a, b) => (String(a) < String(b) ? -1 : 1)),
      );
      await writeSales(folder);
      const again = await applyAll(client);
      expect(statuses(again).sort()).toEqual([...ALL_READY].sort());
    });
  });

  it.each([
    [
      'columns that are not there',
      `SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-01' AS sold_at`,
      /SchemaMismatch|amount/,
    ],
    [
      'columns of another type',
      `SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-01-01' AS sold_at, 'ten' AS amount`,
      /amount/,
    ],
  ])('tells %s before anything is created', async (_, rows, message) => {
    const { project, folder } = await made();
    await writeSales(folder, rows);
    await world.withWorker(project, async (client) => {
      const state = await applyAll(client);
      expect(state.resources.find(({ name }) => name === 'sales')).toMatchObject({
        status: 'FAILED',
        error: expect.stringMatching(message),
      });
      expect(await world.registry(project, `SELECT * FROM {schema}.datasets`)).toEqual([]);
    });
  });

  it('goes on with what does not need the provider that is away', async () => {
    const { project, folder, name } = await made({ online: redisStore({ url: 'redis://127.0.0.1:1' }) });
    await world.withWorker(project, async (client) => {
      const state = await applyAll(client);
      expect(state.resources.filter(({ status }) => status === 'FAILED')).toEqual([
        expect.objectContaining({
          name: 'online',
          error: expect.stringMatching(
            /^Granary cannot connect to the provider during health check: \(REDIS_ONLINE - client_initialization\) .*ECONNREFUSED/,
          ),
        }),
        expect.objectContaining({
          name: 'spending',
          error: 'not made, because provider online failed',
        }),
      ]);
    });
    await world.withWorker(applied(name, folder), async (client) => {
      expect(statuses(await applyAll(client)).sort()).toEqual([...ALL_READY].sort());
    });
  });
});

describe('applies at the same time', () => {
  it('come one after the other: the second waits, plans against the result of the first, and both are right', async () => {
    const { project, name, folder } = await made();
    await world.withWorker(project, async (first) => {
      const clients = await Promise.all(
        [
          project,
          project,
          applied(name, folder, { aggregate: 'max', variant: 'greatest' }),
          applied(name, folder, { aggregate: 'max' }),
        ].map((each) => GranaryClient.connect({ project: each })),
      );
      try {
        await first.planApply();
        const handles = await Promise.all(clients.map((client) => client.apply()));
        const states = await Promise.all(handles.map((handle) => handle.result()));
        // `demo` means the average to two of them and the maximum to one: whoever was first is right.
        const refused = states.filter(({ resources }) => resources.length === 0);
        const right = states.filter(({ resources }) => resources.length > 0);
        expect(new Set(states.map(({ run }) => run)).size).toBe(4);
        expect(right.every(({ status }) => status === 'COMPLETED')).toBe(true);
        expect(refused.every(({ error }) => /averages \(demo\) has changed/.test(error ?? ''))).toBe(true);
        expect([1, 2]).toContain(refused.length);
        // What each of them created is created once.
        const created = right.flatMap(({ plan }) => plan?.created ?? []);
        expect(new Set(created).size).toBe(created.length);
        expect(
          await world.registry(
            project,
            `SELECT count(*)::int AS open FROM {schema}.resources WHERE status <> 'READY'`,
          ),
        ).toEqual([{ open: 0 }]);
        expect(
          await world.registry(
            project,
            `SELECT count(*)::int AS n, max(generation) AS g FROM {schema}.datasets`,
          ),
        ).toEqual([{ n: 4, g: 1 }]);
      } finally {
        await Promise.all(clients.map((client) => client.close()));
      }
    });
  });
});

describe('a project with a pipeline', () => {
  it('has its last complete interval made, and its later runs plan from what was applied, not from the worker', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const { project } = await shop(name, folder);
    await world.withWorker(project, async (client) => {
      const state = await applyAll(client);
      expect(state).toMatchObject({ status: 'COMPLETED' });
      expect(state.plan?.runs).toMatchObject([{ pipeline: 'shop_daily' }]);
      expect(await world.registry(project, `SELECT DISTINCT interval_end FROM {schema}.datasets`)).toEqual([
        { interval_end: new Date('2026-01-10T00:00:00Z') },
      ]);
    });
    // A worker of other definitions (another variant) runs what was applied.
    const { project: other } = await shop(name, folder, { variant: 'other' });
    await world.withWorker(other, async (client) => {
      const { steps } = await (await client.run('shop_daily', { date: '2026-01-02' })).result();
      expect(steps.map(({ step }) => step).join()).not.toMatch(/other/);
      expect(
        await world.registry(project, `SELECT id FROM {schema}.resources WHERE variant = 'other'`),
      ).toEqual([]);
    });
  });

  it('is refused where SQL needs an interval and no pipeline gives one', async () => {
    const name = unique();
    const { project } = await shop(name, join(world.folder, name));
    const bare = {
      ...project,
      resources: project.resources.flatMap((r) => (r.kind === 'pipeline' ? r.targets : [])),
    };
    await world.withWorker(bare as Project, async (client) => {
      await expect(client.apply()).rejects.toMatchObject({
        code: 'InvalidDefinition',
        message: expect.stringMatching(/uses intervalStart or intervalEnd, but no pipeline schedules it/),
      });
    });
  });
});

describe('an apply that is started from Temporal', () => {
  it('with an empty box applies the project of the worker, and its table is there by its name', async () => {
    const { project, name } = await made();
    await world.withWorker(project, async (client) => {
      const handle = await world.temporal.workflow.start('apply', {
        taskQueue: `granary-${name}-dev`,
        workflowId: `${name}-by-hand`,
      });
      const { apply } = (await handle.result()) as { apply: string };
      expect(apply).toMatch(/^[a-z]+_[a-z]+$/);
      const state = await client.applyStatus(apply);
      expect(state.by).toBe('Temporal UI');
      expect(statuses(state).sort()).toEqual([...ALL_READY].sort());
    });
  });

  it.each([
    [{ apply: 'nobody_knows' }, 'UnknownResource', /There is no apply "nobody_knows"/],
    [{ aply: 'x' }, 'InvalidInput', /unknown field "aply"\. Did you mean "apply"\?.*amazed_volhard/],
  ])('with %j is refused', async (input, type, message) => {
    const { project, name } = await made();
    await world.withWorker(project, async () => {
      const handle = await world.temporal.workflow.start('apply', {
        taskQueue: `granary-${name}-dev`,
        workflowId: `${name}-wrong`,
        args: [input],
      });
      await expect(handle.result()).rejects.toMatchObject({
        cause: { type, message: expect.stringMatching(message) },
      });
    });
  });
});

describe('a contract', () => {
  it('applies as the file does from which it was compiled, and needs the code of builds only in the worker', async () => {
    const { project, name } = await made();
    const contract = parseContract(
      contractText(contractOf(compile(project), project.environments)),
      'c.json',
    );
    await world.withWorker(project, async (client) => {
      await applyAll(client);
      const other = await GranaryClient.connect({ project: contract });
      try {
        expect(await other.planApply()).toMatchObject({ created: [], updated: [], refused: [], runs: [] });
        expect((await applyAll(other)).status).toBe('COMPLETED');
      } finally {
        await other.close();
      }
    });
    expect(name).not.toBe('');
  });

  it('whose TypeScript build the worker does not have is refused by name before anything is written', async () => {
    const name = unique();
    const folder = join(world.folder, name);
    const { project } = await shop(name, folder, {
      totals: totalsOf({ build: async function* () {} }),
      variant: 'demo',
    });
    const { project: without } = await shop(name, folder, { variant: 'demo' });
    const contract = contractOf(compile(project), project.environments);
    await world.withWorker(without, async () => {
      const client = await GranaryClient.connect({ project: contract });
      try {
        const state = await applyAll(client);
        expect(state).toMatchObject({ status: 'FAILED', resources: [] });
        expect(state.error).toMatch(/The worker has no code for the build of "totals"/);
        expect(await world.registry(project, `SELECT * FROM {schema}.resources`)).toEqual([]);
      } finally {
        await client.close();
      }
    });
  });
});
