import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_TIME } from '../../definitions/interval.js';
import { openRegistry, type Registry } from '../../registry/registry.js';
import type { VersionFacts } from '../../registry/version-facts.js';

const url = process.env['DATABASE_URL'] ?? '';
const schema = `granary_test_${randomBytes(5).toString('hex')}`;
const pool = new pg.Pool({ connectionString: url, max: 1 });
let registry: Registry;
beforeAll(async () => {
  registry = openRegistry({ url, schema });
  await registry.migrate();
});
afterAll(async () => {
  await registry.close();
  await pool.query(`DROP SCHEMA "${schema}" CASCADE`);
  await pool.end();
});

const DAY = (n: number) => ({
  start: `2026-01-0${n}T00:00:00Z`,
  end: `2026-01-0${n + 1}T00:00:00Z`,
});
const facts = (rows: number): VersionFacts => ({
  profile: {
    rows,
    columns: [{ name: 'z', type: 'string', nulls: 0, nullRate: 0, min: '\u0000', max: '🦆' }],
  },
  validation: [{ rule: { rule: 'notNull', column: 'z' }, passed: true, observed: 0, message: 'z' }],
  inputColumns: {},
});

async function begin(step: string): Promise<{ id: string; workflowId: string }> {
  const run = { id: randomUUID(), workflowId: 'w' };
  const steps = [{ id: step, kind: 'build' as const, name: step, dependsOn: [] }];
  await registry.runs.begin({
    ...run,
    type: 'pipeline',
    retries: { max: 0, delay: '1s' },
    plan: { interval: DAY(1), fingerprint: '', steps },
  });
  return run;
}

async function commit(
  step: string,
  day: number,
  rows: number,
  found?: VersionFacts,
  interval = DAY(day),
): Promise<string> {
  const run = await begin(step);
  const claim = { target: step, interval };
  await registry.ownership.claim(claim, run);
  if (found) await registry.facts.note({ run: run.id, step, staged: 'a' }, found);
  const token = await registry.ownership.nextToken(claim, run);
  const id = randomUUID();
  await registry.ownership.commit(claim, run, token, async (tx) =>
    registry.datasets.insert(tx, {
      ...{ id, target: step, interval, version: id, store: 's', folder: 'f', files: [], rows, token },
      generation: await registry.datasets.nextGeneration(step, interval),
      ...{ fingerprint: '', hasLatest: false, run: run.id, inputs: [], inputsHash: '' },
      ...(found === undefined ? {} : { facts: found }),
    }),
  );
  await registry.runs.end(run.id, 'COMPLETED', []);
  await registry.ownership.takeOver(claim, run, { id: 'next', workflowId: 'w' });
  await pool.query(`DELETE FROM "${schema}".ownership`);
  return id;
}

const notes = async (run: string): Promise<number> =>
  (await pool.query(`SELECT FROM "${schema}".step_facts WHERE run_id = $1`, [run])).rowCount ?? -1;

describe('what is found of a version', () => {
  it('is noted by what was staged: another attempt changes nothing of it, and the same one may repeat it', async () => {
    const run = await begin('source/a');
    const of = (staged: string) => ({ run: run.id, step: 'source/a', staged });
    for (const rows of [1, 2]) await registry.facts.note(of('one'), facts(rows));
    await registry.facts.note(of('another'), facts(3));
    expect(await registry.facts.noted(of('one'))).toEqual(facts(2));
    expect(await registry.facts.noted(of('another'))).toEqual(facts(3));
    expect(await registry.facts.noted(of('none'))).toBeUndefined();
    await registry.runs.end(run.id, 'FAILED', []);
    expect(await notes(run.id)).toBe(0);
  });

  it('is kept as it was written, any character and the order of its fields, until the version goes', async () => {
    const id = await commit('source/b', 1, 5, facts(5));
    expect(JSON.stringify(await registry.facts.of(id))).toBe(JSON.stringify(facts(5)));
    await pool.query(`DELETE FROM "${schema}".ledger`);
    await pool.query(`DELETE FROM "${schema}".datasets WHERE id = $1`, [id]);
    expect(await registry.facts.of(id)).toBeUndefined();
  });

  it('goes from the note to the version in the commit', async () => {
    const step = 'source/c';
    const run = await begin(step);
    const claim = { target: step, interval: DAY(1) };
    await registry.ownership.claim(claim, run);
    await registry.facts.note({ run: run.id, step, staged: 'a' }, facts(1));
    await registry.facts.note({ run: run.id, step, staged: 'b' }, facts(2));
    const token = await registry.ownership.nextToken(claim, run);
    const row = {
      ...{
        id: randomUUID(),
        target: step,
        interval: DAY(1),
        version: 'v',
        store: 's',
        folder: 'f',
        files: [],
      },
      ...{ rows: 2, token, generation: 1, fingerprint: '', hasLatest: false, run: run.id, inputs: [] },
      ...{ inputsHash: '', facts: facts(2) },
    };
    const refused = registry.ownership.commit(claim, run, token, async (tx) => {
      await registry.datasets.insert(tx, row);
      throw new Error('cut off');
    });
    await expect(refused).rejects.toThrow('cut off');
    expect([await notes(run.id), await registry.facts.of(row.id)]).toEqual([2, undefined]);
    await registry.ownership.commit(claim, run, token, (tx) => registry.datasets.insert(tx, row));
    expect([await notes(run.id), await registry.facts.of(row.id)]).toEqual([0, facts(2)]);
  });
});

describe('the version that another is held against', () => {
  it('is the current one of the interval before, else the same interval as it was, else none', async () => {
    const step = 'source/d';
    const before = async (day: number, run = '') =>
      (await registry.datasets.before(step, DAY(day), run))?.rows;
    expect(await before(3)).toBeUndefined();
    await commit(step, 3, 30);
    expect(await before(3)).toBe(30);
    await commit(step, 3, 31);
    expect([await before(3), await before(2), await before(5)]).toEqual([31, undefined, 31]);
    await commit(step, 1, 99, undefined, { start: ALL_TIME.start, end: DAY(1).start });
    expect([await before(1), await before(2)]).toEqual([undefined, undefined]);
    await commit(step, 1, 10);
    await commit(step, 1, 11);
    expect([await before(1), await before(2), await before(3), await before(4)]).toEqual([11, 11, 11, 31]);
  });
});
