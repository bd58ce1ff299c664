import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { openRegistry } from '../../registry/registry.js';
import { DAY, ownRegistry } from '../support/registry.js';

const { registry, schema, pool, url } = ownRegistry();

let target: string;
beforeEach(() => {
  target = `source/${randomBytes(5).toString('hex')}`;
});

/** Records the n-th version of the interval, or the load of it, as a run does. */
async function commit(kind: 'version' | 'load', generation: number): Promise<void> {
  const claim = { target, interval: DAY };
  const run = { id: 'r', workflowId: 'w' };
  await registry.ownership.claim(claim, run);
  const token = await registry.ownership.nextToken(claim, run);
  const made = { ...claim, generation, run: `r${generation}`, fingerprint: '', inputsHash: '' };
  await registry.ownership.commit(claim, run, token, async (tx) => {
    const id = `${target}-${generation}`;
    if (kind === 'version')
      await registry.datasets.insert(tx, {
        ...made,
        ...{ id, version: id, store: '', folder: '', files: [], rows: 0, hasLatest: true, token, inputs: [] },
      });
    else
      await registry.ledger.recordLoads(tx, [
        { ...made, dataset: undefined, storeId: 's', receipt: generation, detail: {} },
      ]);
  });
}

describe('an interval that was due', () => {
  it.each(['version', 'load'] as const)(
    'was there in time where its first %s was, however often it was made anew since',
    async (kind) => {
      const before = await registry.runs.clock();
      await commit(kind, 1);
      const due = await registry.runs.clock();
      await commit(kind, 2);
      await commit(kind, 3);
      const lacking = (at: string): Promise<string[]> => registry.ledger.lacking([target], DAY, at);
      expect(await lacking(due)).toEqual([]);
      expect(await lacking(before)).toEqual([target]);
    },
  );

  it('was not there once it is deleted, and is there from when it is made again', async () => {
    await commit('load', 1);
    const due = await registry.runs.clock();
    await pool.query(`DELETE FROM "${schema}".ledger WHERE target = $1`, [target]);
    await commit('load', 2);
    expect(await registry.ledger.lacking([target], DAY, due)).toEqual([target]);
    expect(await registry.ledger.lacking([target], DAY, await registry.runs.clock())).toEqual([]);
  });

  it('was there from its first version on also where it was rebuilt before the registry noted that', async () => {
    const other = `${schema}_old`;
    const old = openRegistry({ url, schema: other });
    await old.migrate();
    const at = (hour: number): string => `2026-01-02T0${hour}:00:00Z`;
    await pool.query(
      `ALTER TABLE "${other}".ledger DROP COLUMN first_committed_at; DELETE FROM "${other}".migrations WHERE id = 12`,
    );
    for (const generation of [1, 2])
      await pool.query(
        `INSERT INTO "${other}".datasets (id, target, interval_start, interval_end, generation, version, store, folder, files, rows, fingerprint, has_latest, run_id, token, committed_at)
         VALUES ($1, $2, $3, $4, $5, $1, '', '', '[]', 0, '', true, $1, 1, $6)`,
        [`v${generation}`, target, DAY.start, DAY.end, generation, at(generation)],
      );
    for (const id of [target, 'view/loaded'])
      await pool.query(
        `INSERT INTO "${other}".ledger (target, interval_start, interval_end, generation, run_id, fingerprint, inputs_hash, detail, committed_at)
         VALUES ($1, $2, $3, 2, 'r', '', '', '{}', $4)`,
        [id, DAY.start, DAY.end, at(2)],
      );
    const now = openRegistry({ url, schema: other });
    try {
      await now.migrate();
      expect(await now.ledger.lacking([target, 'view/loaded'], DAY, at(1))).toEqual(['view/loaded']);
      expect(await now.ledger.lacking([target, 'view/loaded'], DAY, at(2))).toEqual([]);
    } finally {
      await Promise.all([old.close(), now.close()]);
      await pool.query(`DROP SCHEMA "${other}" CASCADE`);
    }
  });
});
