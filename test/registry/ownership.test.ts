import { describe, expect, it } from 'vitest';
import { openRegistry } from '../../registry/registry.js';
import type { RunRef } from '../../registry/ownership.js';
import { DAY, ownRegistry } from '../support/registry.js';

const { url, schema, pool, registry, begin } = ownRegistry();

let n = 0;
const claimOf = () => ({
  target: `source/x${(n += 1)}`,
  interval: DAY,
});
const run = (id: string): RunRef => ({ id: `${id}${(n += 1)}`, workflowId: `wf-${id}` });
const refusals = async (target: string): Promise<string[]> =>
  (
    await pool.query<{ reason: string }>(`SELECT reason FROM "${schema}".refusals WHERE target = $1`, [
      target,
    ])
  ).rows.map((row) => row.reason);

describe('ownership of an interval', () => {
  it('belongs to the first of many that claim it at once', async () => {
    const claim = claimOf();
    const owners = await Promise.all(
      Array.from({ length: 20 }, (_, i) => registry.ownership.claim(claim, run(`r${i}`))),
    );
    expect(new Set(owners.map((owner) => owner.id)).size).toBe(1);
  });

  it('is taken over once, and the old owner commits no more', async () => {
    const claim = claimOf();
    const [old, a, b] = [run('old'), run('a'), run('b')];
    await registry.ownership.claim(claim, old);
    const token = await registry.ownership.nextToken(claim, old);
    const taken = await Promise.all([
      registry.ownership.takeOver(claim, old, a),
      registry.ownership.takeOver(claim, old, b),
    ]);
    expect(taken.sort()).toEqual([false, true]);
    await expect(registry.ownership.commit(claim, old, token, () => Promise.resolve())).rejects.toMatchObject(
      { code: 'OwnershipLost' },
    );
    await expect(registry.ownership.nextToken(claim, old)).rejects.toMatchObject({ code: 'OwnershipLost' });
    expect(await refusals(claim.target)).toEqual(['OwnershipLost']);
  });

  it('commits under the newest token only; the refused attempt may take another', async () => {
    const claim = claimOf();
    const owner = run('o');
    await registry.ownership.claim(claim, owner);
    const first = await registry.ownership.nextToken(claim, owner);
    const second = await registry.ownership.nextToken(claim, owner);
    expect(second).toBeGreaterThan(first);
    await expect(
      registry.ownership.commit(claim, owner, first, () => Promise.resolve('no')),
    ).rejects.toMatchObject({ code: 'StaleToken', retryable: true });
    expect(await registry.ownership.commit(claim, owner, second, () => Promise.resolve('yes'))).toBe('yes');
    expect(await refusals(claim.target)).toEqual(['StaleToken']);
  });

  it('ends with its run: an attempt that wakes after the run was recorded as ended commits nothing', async () => {
    const claim = claimOf();
    const owner = run('zombie');
    await begin(owner, claim.target);
    await registry.ownership.claim(claim, owner);
    const token = await registry.ownership.nextToken(claim, owner);
    await registry.runs.end(owner.id, 'TERMINATED', []);
    await expect(
      registry.ownership.commit(claim, owner, token, () => Promise.resolve()),
    ).rejects.toMatchObject({ code: 'OwnershipLost' });
  });

  it('rolls back what a failing commit wrote', async () => {
    const claim = claimOf();
    const owner = run('o');
    await registry.ownership.claim(claim, owner);
    const token = await registry.ownership.nextToken(claim, owner);
    await expect(
      registry.ownership.commit(claim, owner, token, async (tx) => {
        await tx
          .insertInto('version_names')
          .values({ target: claim.target, name: 'v_x', run_id: owner.id })
          .execute();
        throw new Error('power cut');
      }),
    ).rejects.toThrow('power cut');
    expect(
      (await pool.query(`SELECT * FROM "${schema}".version_names WHERE target = $1`, [claim.target]))
        .rowCount,
    ).toBe(0);
  });
});

describe('version names', () => {
  it('are distinct for runs at the same second, and the same for a run that asks again', async () => {
    const runs = Array.from({ length: 8 }, (_, i) => run(`v${i}`));
    const names = await Promise.all(runs.map((ref) => registry.ownership.versionName('source/v', ref)));
    expect(new Set(names).size).toBe(8);
    for (const name of names) expect(name).toMatch(/^v_\d{8}T\d{6}$/);
    expect(await Promise.all(runs.map((ref) => registry.ownership.versionName('source/v', ref)))).toEqual(
      names,
    );
  });

  it('are given out in ascending order, also ahead of the clock and when many runs ask at once', async () => {
    const ask = (at: number) => registry.ownership.versionName('source/order', run(`o${at}`));
    const names: string[] = [];
    for (let round = 0; round < 5; round++)
      names.push(...(await Promise.all(Array.from({ length: 6 }, (_, at) => ask(at)))).sort());
    // Each round comes wholly after the one before.
    expect(names).toEqual([...names].sort());
    expect(new Set(names).size).toBe(30);
  });

  it('are the second after the last one that is taken, gaps or not, across the end of a year; else the clock’s', async () => {
    const take = (target: string, name: string) =>
      pool.query(`INSERT INTO "${schema}".version_names VALUES ('${target}', '${name}', '${target}${name}')`);
    await take('source/w', 'v_20991231T235958');
    await take('source/w', 'v_20991231T235959');
    await take('source/w', 'v_20010101T000000');
    expect(await registry.ownership.versionName('source/w', run('w'))).toBe('v_21000101T000000');
    await take('source/x', 'v_20010101T000000');
    const clock = async (): Promise<unknown> =>
      (
        await pool.query<{ name: string }>(
          `SELECT to_char(now() AT TIME ZONE 'UTC', '"v_"YYYYMMDD"T"HH24MISS') AS name`,
        )
      ).rows[0]?.name;
    const before = await clock();
    const name = await registry.ownership.versionName('source/x', run('x'));
    expect([before, name, await clock()]).toEqual([before, name, await clock()].sort());
    expect(name.slice(0, 6)).not.toBe('v_2001');
  });

  it('cost the same however many lie ahead of the clock', async () => {
    await pool.query(`
      INSERT INTO "${schema}".version_names
      SELECT 'source/many', to_char(now() AT TIME ZONE 'UTC' + n * interval '1 second', '"v_"YYYYMMDD"T"HH24MISS'), 'many' || n
      FROM generate_series(0, 199999) AS n`);
    const started = performance.now();
    for (let n = 0; n < 20; n++) await registry.ownership.versionName('source/many', run('m'));
    // Some milliseconds each; to look at those ahead would take a quarter of a second each.
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('runs', () => {
  it('recorded again with another plan have the steps of both, and the later plan', async () => {
    const ref = run('again');
    await begin(ref, 'source/one');
    await begin(ref, 'source/two');
    expect((await registry.runs.steps(ref.id)).map((step) => step.step).sort()).toEqual([
      'source/one',
      'source/two',
    ]);
    expect((await registry.runs.get(ref.id))?.plan.steps[0]?.id).toBe('source/two');
  });

  it('count errors an activity, so that one outage is one error to each shard', async () => {
    const ref = run('errors');
    await begin(ref, 'view/x');
    const counts = await Promise.all(
      ['1', '2', '3', '1'].map((activity) => registry.runs.countError(ref.id, 'view/x', activity, 'away')),
    );
    expect([...counts].sort()).toEqual([1, 1, 1, 2]);
  });

  it('end once: the first ending holds', async () => {
    const ref = run('end');
    await begin(ref, 'source/one');
    await registry.runs.end(ref.id, 'TERMINATED', []);
    await registry.runs.end(ref.id, 'COMPLETED', []);
    expect((await registry.runs.get(ref.id))?.status).toBe('TERMINATED');
  });
});

describe('migrations', () => {
  it('may run from many processes at once', async () => {
    const other = `${schema}_m`;
    const registries = Array.from({ length: 5 }, () => openRegistry({ url, schema: other }));
    await Promise.all(registries.map((r) => r.migrate()));
    expect((await registries[0]?.resources.all())?.size).toBe(0);
    await Promise.all(registries.map((r) => r.close()));
    await pool.query(`DROP SCHEMA "${other}" CASCADE`);
  });
});

describe('a registry that is away', () => {
  it.each([
    [
      'postgres://nobody@127.0.0.1:1/none',
      'ProviderUnreachable',
      /registry's Postgres at 127\.0\.0\.1:1 does not answer \(ECONNREFUSED\).*GRANARY_REGISTRY_URL/,
    ],
    [
      url.replace(/\/[^/]*$/, '/no_such_database'),
      'ConfigurationMissing',
      /registry's Postgres refuses the connection.*no_such_database/,
    ],
  ])('%s -> %s', async (address, code, message) => {
    const { toFailure } = await import('../../activities/failure.js');
    const away = openRegistry({ url: address, schema });
    const error = await away.migrate().then(
      () => undefined,
      (e: unknown) => e,
    );
    const failure = await toFailure(error);
    expect(failure).toMatchObject({ type: code, nonRetryable: code === 'ConfigurationMissing' });
    expect(failure.message).toMatch(message);
    await away.close();
  });
});
