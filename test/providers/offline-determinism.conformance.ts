import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Schema } from '../../definitions/types.js';
import { relation, type OfflineSuite } from '../support/offline-fixtures.js';

/** Equal bytes: for sums of DOUBLE and for choices that depend on the order of rows. */
export function determinismConformance({ fixtures, open }: OfflineSuite): void {
  // Magnitudes far apart: the sum depends on the order of addition.
  const doubles = `SELECT range % 7 AS k, ((hash(range) % 1000) / 7.0) * pow(10, range % 17)::DOUBLE AS x, range AS i FROM range(400000)`;

  const hashes = async (
    sql: string,
    schema: Schema,
    deterministic: boolean,
    runs: number,
  ): Promise<number> => {
    const path = await fixtures.file(doubles, 'FORMAT parquet, ROW_GROUP_SIZE 10240');
    const seen = new Set<string>();
    await using session = await open({ threads: 4 });
    for (let run = 0; run < runs && (deterministic || seen.size < 2); run++) {
      const parquet = fixtures.path();
      await session.query({
        sql,
        inputs: {
          d: relation(
            'x' in schema || 'total' in schema ? { k: 'int64', x: 'float64' } : { k: 'int64', i: 'int64' },
            path,
          ),
        },
        output: { name: 'feature set x', schema, keys: ['k'], parquet },
        deterministic,
      });
      seen.add(
        createHash('sha256')
          .update(await readFile(parquet))
          .digest('hex'),
      );
    }
    return seen.size;
  };
  const sums = 'SELECT k, sum(x) AS total, avg(x) AS mean FROM d GROUP BY k';
  const summed = { k: 'int64', total: 'float64', mean: 'float64' } as const;
  const picks = 'SELECT k, any_value(i) AS i FROM d GROUP BY k';

  describe('the same input gives the same bytes', () => {
    it('when a query sums DOUBLE on a session of several threads', async () => {
      expect(await hashes(sums, summed, true, 12)).toBe(1);
    });

    it('but not without the protection, so the test above proves something', async () => {
      expect(await hashes(sums, summed, false, 60)).toBeGreaterThan(1);
    });

    it('when a query takes any value of integers', async () => {
      expect(await hashes(picks, { k: 'int64', i: 'int64' }, true, 6)).toBe(1);
    });
  });
}
