import { tmpdir } from 'node:os';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../definitions/compile.js';
import type { Resource } from '../../definitions/contract.js';
import { coverage } from '../../registry/coverage.js';
import { settle } from '../../registry/settle.js';
import type { RunStatus } from '../../registry/tables.js';
import { ticking } from '../fixtures/ticking.js';
import { DAY, ownRegistry } from '../support/registry.js';

const { registry, schema, pool } = ownRegistry();

let folder: string;
let resources: ReadonlyMap<string, Resource>;
let ticks: Resource;
let sums: Resource;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'granary-coverage-'));
  ({ resources } = compile(ticking('coverage', folder, { looking: true })));
  const named = (name: string): Resource =>
    [...resources.values()].find((each) => each.name === name) as Resource;
  [ticks, sums] = [named('ticks'), named('sums')];
  await registry.resources.register(resources.values(), []);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let runs = 0;
/** A run of some steps for an interval, which ended so; undefined: it is open. */
async function run(interval: typeof DAY, steps: readonly string[], status?: RunStatus): Promise<string> {
  const id = `run-${++runs}`;
  await registry.runs.begin({
    ...{ id, workflowId: 'w', type: 'pipeline', retries: { max: 0, delay: '1s' } },
    plan: {
      ...{ interval, fingerprint: '' },
      steps: steps.map((step) => ({ id: step, kind: 'build', name: step, dependsOn: [] })),
    },
  });
  if (status) await registry.runs.end(id, status, [], `${id} ended`);
  return id;
}

const made = async ({ start, end }: typeof DAY, { id, fingerprint }: Resource): Promise<unknown> =>
  await pool.query(
    `INSERT INTO "${schema}".ledger (target, interval_start, interval_end, generation, run_id, fingerprint, inputs_hash, detail)
     VALUES ($1, $2, $3, 1, 'r', $4, '', '{}')`,
    [id, start, end, fingerprint],
  );

const day = (n: number): typeof DAY => ({
  start: new Date(Date.UTC(2026, 0, n)).toISOString().replace('.000', ''),
  end: new Date(Date.UTC(2026, 0, n + 1)).toISOString().replace('.000', ''),
});

describe('an interval of which something was not made', () => {
  it('stands as the last run that was to make that says, whatever runs of other pipelines shared with it', async () => {
    const others = [ticks.id, 'source/of_others'];
    const own = [ticks.id, sums.id];
    const cases: readonly (readonly [state: string, prepare: (at: typeof DAY) => Promise<unknown>])[] = [
      ['missing', (at) => run(at, others, 'FAILED')],
      ['failed', (at) => run(at, own, 'FAILED')],
      ['failed', async (at) => (await run(at, own, 'FAILED'), await run(at, others, 'COMPLETED'))],
      ['missing', async (at) => (await run(at, own, 'CANCELLED'), await run(at, others))],
      ['running', async (at) => (await run(at, own), await run(at, others, 'FAILED'))],
    ];
    for (const [n, [, prepare]] of cases.entries()) {
      await made(day(n + 1), ticks);
      await prepare(day(n + 1));
    }
    const found = await coverage(registry, resources, {
      targets: [sums.id],
      intervals: cases.map((_, n) => day(n + 1)),
    });
    expect(found.map(({ state }) => state)).toEqual(cases.map(([state]) => state));
  });
});

describe('what closed workflows left open', () => {
  it('is settled at once for all parts of a run, and Temporal is asked once for them', async () => {
    const asked: (string | undefined)[] = [];
    for (let part = 0; part < 120; part++)
      await registry.runs.begin({
        ...{ id: `abc.${part}`, workflowId: 'backfill/x', type: 'pipeline' },
        ...{ retries: { max: 0, delay: '1s' }, plan: { interval: DAY, fingerprint: '', steps: [] } },
      });
    await settle(registry, ({ id, workflowId }) => {
      if (workflowId === 'backfill/x') asked.push(id);
      return Promise.resolve(workflowId === 'backfill/x' ? 'TERMINATED' : undefined);
    });
    expect(asked).toHaveLength(1);
    expect((await registry.runs.open(500)).filter(({ workflowId }) => workflowId === 'backfill/x')).toEqual(
      [],
    );
    expect((await registry.runs.get('abc.119'))?.status).toBe('TERMINATED');
  });

  it.each<[what: string, old: string | undefined, newest: string | undefined, later: boolean, string]>([
    ['terminated', 'TERMINATED', 'TERMINATED', false, 'TERMINATED'],
    ['reset, and goes on', 'TERMINATED', undefined, false, 'RUNNING'],
    ['reset, and failed before it said so', 'TERMINATED', 'FAILED', false, 'TERMINATED'],
    ['going on as a new run', 'CONTINUED_AS_NEW', undefined, false, 'RUNNING'],
    ['terminated as a new run', 'CONTINUED_AS_NEW', 'TERMINATED', false, 'TERMINATED'],
    ['terminated, its id taken by another backfill', 'TERMINATED', undefined, true, 'TERMINATED'],
  ])('a backfill that was %s', async (_, old, newest, later, expected) => {
    const workflowId = `w-${++runs}`;
    const add = async (id: string, runId: string): Promise<void> => {
      await registry.backfills.add({ id, workflowId, by: 'me', request: {} });
      await registry.backfills.begin(id, { id: runId, workflowId });
    };
    await add(`${workflowId}-a`, 'first');
    if (later) await add(`${workflowId}-b`, 'second');
    await settle(registry, (run) =>
      Promise.resolve(
        run.workflowId !== workflowId || run.id === 'second' ? undefined : run.id === 'first' ? old : newest,
      ),
    );
    expect((await registry.backfills.get(`${workflowId}-a`))?.status).toBe(expected);
    if (later) expect((await registry.backfills.get(`${workflowId}-b`))?.status).toBe('RUNNING');
  });
});
