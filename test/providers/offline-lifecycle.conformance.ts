import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { OfflineSession } from '../../providers/offline/provider.js';
import { failure, rejects, relation, type OfflineSuite } from '../support/offline-fixtures.js';

/** Cancellation, limits and the end of a session. */
export function lifecycleConformance({ fixtures, open }: OfflineSuite): void {
  const endless = (session: OfflineSession): Promise<unknown> =>
    session.query({
      sql: 'SELECT sum(a.range * b.range % 7) AS x FROM range(10000000) a, range(10000000) b',
      inputs: {},
      deterministic: true,
      output: { name: 'feature set x', schema: { x: 'int64' }, keys: [], parquet: fixtures.path() },
    });
  const reason = new Error('the activity was cancelled');

  describe('cancellation', () => {
    it("interrupts a running query and rejects with the signal's reason", async () => {
      const abort = new AbortController();
      const session = await open({ signal: abort.signal });
      setTimeout(() => abort.abort(reason), 100);
      const begun = performance.now();
      await rejects(endless(session), (error) => expect(error).toBe(reason));
      expect(performance.now() - begun).toBeLessThan(3000);
      await session.close();
    });

    it('does not miss an abort that comes while a query is being started', async () => {
      for (const delay of [0, 1, 2, 4, 8]) {
        const abort = new AbortController();
        const session = await open({ signal: abort.signal });
        setTimeout(() => abort.abort(reason), delay);
        await rejects(endless(session), (error) => expect(error).toBe(reason));
        await session.close();
      }
    });

    it('ends a read, and refuses what comes after the abort', async () => {
      const path = await fixtures.file('SELECT range AS a FROM range(200000)');
      const abort = new AbortController();
      const session = await open({ signal: abort.signal });
      const reading = (async () => {
        for await (const { rows } of session.read(relation({ a: 'int64' }, path)))
          if (rows > 0) abort.abort(reason);
      })();
      await rejects(reading, (error) => expect(error).toBe(reason));
      await rejects(session.inspect(relation({ a: 'int64' }, path)), (error) => expect(error).toBe(reason));
      await session.close();
      await rejects(open({ signal: abort.signal }), (error) => expect(error).toBe(reason));
    });
  });

  describe('close', () => {
    it('ends what still runs and what is half read, empties the scratch folder, and may be repeated', async () => {
      const scratch = join(fixtures.folder, 'spill');
      const session = await open({ scratch, memoryLimit: '60MB' });
      const path = await fixtures.file(`SELECT range AS a, md5(range::VARCHAR) AS s FROM range(2000000)`);
      const big = relation({ a: 'int64', s: 'string' }, path);
      const reading = session.read(big)[Symbol.asyncIterator]();
      await reading.next();
      const sorting = session.query({
        sql: 'SELECT a, s, row_number() OVER (ORDER BY s) AS r FROM big',
        inputs: { big },
        deterministic: false,
        output: {
          name: 'feature set x',
          schema: { a: 'int64', s: 'string', r: 'int64' },
          keys: [],
          parquet: fixtures.path(),
        },
      });
      const outcome = sorting.then(
        () => 'done',
        () => 'ended',
      );
      for (let i = 0; i < 200 && !(existsSync(scratch) && readdirSync(scratch).length > 0); i++)
        await new Promise((done) => setTimeout(done, 10));
      // The engine removes its own files; what a killed process left behind in the folder must go too.
      await writeFile(join(scratch, 'left-behind.tmp'), 'x');
      await session.close();
      expect(['done', 'ended']).toContain(await outcome);
      expect(readdirSync(scratch)).toEqual([]);
      await session.close();
      await rejects(session.inspect(big), failure('InvalidInput', 'closed'));
    });
  });

  describe('limits', () => {
    it('spills what does not fit in memory, and the result is whole', async () => {
      await using session = await open({ memoryLimit: '100MB' });
      const parquet = fixtures.path();
      const written = await session.query({
        sql: `SELECT range AS a, md5(range::VARCHAR) AS s FROM range(2000000)`,
        inputs: {},
        deterministic: true,
        output: { name: 'feature set x', schema: { s: 'string', a: 'int64' }, keys: ['s'], parquet },
      });
      expect(written.rows).toBe(2_000_000);
    });

    it('says so when the memory limit is reached', async () => {
      await using session = await open({ memoryLimit: '60MB' });
      const work = session.query({
        sql: `SELECT string_agg(md5(range::VARCHAR), '') AS s FROM range(20000000)`,
        inputs: {},
        deterministic: true,
        output: { name: 'feature set x', schema: { s: 'string' }, keys: [], parquet: fixtures.path() },
      });
      await rejects(work, failure('ResourcesExhausted', 'feature set x', 'memory'));
    });
  });
}
