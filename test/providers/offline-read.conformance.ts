import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Schema } from '../../definitions/types.js';
import { failure, rejects, relation, type OfflineSuite } from '../support/offline-fixtures.js';

/** Reading: values as providers/columns.ts states them, in file order, no more than asked for. */
export function readConformance({ fixtures, session, open }: OfflineSuite): void {
  const everything = {
    b: 'bool',
    i: 'int32',
    l: 'int64',
    f: 'float32',
    d: 'float64',
    s: 'string',
    y: 'bytes',
    t: 'timestamp',
    lt: 'list<timestamp>',
    ls: 'list<string>',
    ly: 'list<bytes>',
    ll: 'list<int64>',
  } as const satisfies Schema;

  describe('read', () => {
    it('gives each type its JavaScript value, and NULL as null', async () => {
      const first = {
        ...{ b: true, i: -1, l: 9007199254740993n, f: 0.5, d: NaN, s: '😀 é', y: new Uint8Array([0, 255]) },
        ...{
          t: '1969-12-31 23:59:59.999999',
          lt: ['2001-01-01'],
          ls: ['a', ''],
          ly: [new Uint8Array([7])],
          ll: [],
        },
      };
      const path = await fixtures.rows(everything, [
        first,
        Object.fromEntries(Object.keys(everything).map((name) => [name, null])),
      ]);
      const batches = [];
      for await (const batch of session().read(relation(everything, path))) batches.push(batch);
      expect(batches.map(({ rows }) => rows)).toEqual([2]);
      const expected = [
        true,
        -1,
        9007199254740993n,
        0.5,
        NaN,
        '😀 é',
        new Uint8Array([0, 255]),
        -1n,
        [978_307_200_000_000n],
        ['a', ''],
        [new Uint8Array([7])],
        [],
      ];
      for (const [i, value] of expected.entries()) {
        const [present, absent] = batches[0]?.columns[i] ?? [];
        expect(present).toEqual(value);
        expect(absent).toBeNull();
      }
    });

    it('gives chosen columns in the order asked, across files in order, up to a limit', async () => {
      const paths = [
        await fixtures.file('SELECT range AS a, range * 2 AS b FROM range(3000)'),
        await fixtures.file('SELECT range + 3000 AS a, 0::BIGINT AS b FROM range(5000)'),
      ];
      const seen: bigint[] = [];
      for await (const { rows, columns } of session().read(relation({ a: 'int64', b: 'int64' }, paths), {
        columns: ['b', 'a'],
        limit: 7000,
      })) {
        expect(rows).toBeLessThanOrEqual(2048);
        expect(columns).toHaveLength(2);
        seen.push(...((columns[1] ?? []) as bigint[]));
      }
      expect(seen).toEqual(Array.from({ length: 7000 }, (_, i) => BigInt(i)));
      await rejects(
        (async () => {
          for await (const batch of session().read(relation({ a: 'int64' }, paths), { columns: ['z'] }))
            void batch;
        })(),
        failure('SchemaMismatch', '"z"', '"a"'),
      );
    });

    it('gives nothing for an empty file', async () => {
      const path = await fixtures.rows({ a: 'int64' }, []);
      for await (const batch of session().read(relation({ a: 'int64' }, path))) expect(batch.rows).toBe(0);
    });

    it('ends at once when the loop is left, and another read begins anew', async () => {
      const path = await fixtures.file('SELECT range AS a FROM range(500000)');
      for (let i = 0; i < 3; i++)
        for await (const { columns } of session().read(relation({ a: 'int64' }, path))) {
          expect(columns[0]?.[0]).toBe(0n);
          break;
        }
    });

    it('keeps memory constant however slow the reader is', async () => {
      const path = await fixtures.file(`SELECT range AS a, md5(range::VARCHAR) AS s FROM range(3000000)`);
      await using own = await open({ memoryLimit: '400MB' });
      let rows = 0;
      let peak = 0;
      const before = process.memoryUsage().rss;
      for await (const batch of own.read(relation({ a: 'int64', s: 'string' }, path))) {
        if (rows === 0) await sleep(200);
        rows += batch.rows;
        peak = Math.max(peak, process.memoryUsage().rss - before);
      }
      expect(rows).toBe(3_000_000);
      // All values at once would be more than 400 MB.
      expect(peak).toBeLessThan(250e6);
    });
  });
}
