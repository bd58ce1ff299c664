import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Schema } from '../../definitions/types.js';
import type { NewestRequest, StagedShard } from '../../providers/offline/provider.js';
import { failure, rejects, relation, type OfflineSuite } from '../support/offline-fixtures.js';

const SCHEMA = {
  k: 'string',
  j: 'int64',
  v: 'float64',
  s: 'string',
  event: 'timestamp',
  created: 'timestamp',
} as const satisfies Schema;
const NOON = '2001-01-01T12:00:00Z';
type Given = Partial<Record<keyof typeof SCHEMA, unknown>>;

/** Staging: which row is an entity's newest, and the shards that a load reads. */
export function stageConformance({ fixtures, session }: OfflineSuite): void {
  const stage = async (
    rows: readonly (readonly Given[])[],
    more: Partial<NewestRequest> = {},
  ): Promise<{ staged: readonly StagedShard[]; rows: (string | null)[][]; folder: string }> => {
    const paths = await Promise.all(
      rows.map((file) =>
        fixtures.rows(
          SCHEMA,
          file.map((row) => ({ k: 'a', j: 1n, ...row })),
        ),
      ),
    );
    const source = relation(SCHEMA, paths);
    const folder = mkdtempSync(join(fixtures.folder, 'stage-'));
    const staged = await session().stageNewest({
      name: 'view x',
      relation: { ...source, files: source.files.map((file, i) => ({ ...file, generation: i + 1 })) },
      joinKeys: [{ name: 'key', column: 'k', type: 'string' }],
      features: [
        { name: 'value', column: 'v', type: 'float64' },
        { name: 'text', column: 's', type: 'string' },
      ],
      timestampField: 'event',
      createdTimestampField: 'created',
      eventTime: NOON,
      rowsPerShard: 1000,
      rowsPerGroup: 2048,
      folder,
      ...more,
    });
    const all = await Promise.all(staged.map(({ file }) => fixtures.read(join(folder, file))));
    return { staged, rows: all.flat(), folder };
  };
  const at = (hour: number): string => `2001-01-01 ${String(hour).padStart(2, '0')}:00:00`;
  const EIGHT = '978336000000000';

  describe('stageNewest', () => {
    const row = (v: number | null, hour: number, more: Given = {}): Given => ({
      v,
      event: at(hour),
      ...more,
    });
    const newest: readonly [what: string, rows: readonly Given[], value: readonly (string | null)[]][] = [
      ['the greatest event time', [row(1, 8), row(9, 7)], ['1.0', null]],
      [
        'then the greatest created time',
        [row(1, 8, { created: at(10) }), row(9, 8, { created: at(9) })],
        ['1.0', null],
      ],
      ['a NULL created time being least', [row(9, 8), row(1, 8, { created: '1900-01-01' })], ['1.0', null]],
      ['then the greatest first feature', [row(1, 8, { s: 'z' }), row(2, 8, { s: 'a' })], ['2.0', 'a']],
      ['NaN being greatest', [row(Infinity, 8), row(NaN, 8)], ['nan', null]],
      ['NULL being least', [row(null, 8, { s: 'z' }), row(-Infinity, 8)], ['-inf', null]],
      ['-0.0 being 0.0', [row(-0, 8, { s: 'z' }), row(0, 8)], ['0.0', 'z']],
      ['then the greatest second feature', [row(1, 8, { s: '￿' }), row(1, 8, { s: '😀' })], ['1.0', '😀']],
      ['a NULL feature as its value', [row(null, 8), row(9, 7)], [null, null]],
    ];
    it.each(newest)('takes the row with %s', async (_, rows, expected) => {
      for (const order of [rows, rows.toReversed()]) {
        const {
          rows: [row = []],
        } = await stage([order]);
        expect(row.slice(1, 3)).toEqual(expected);
      }
    });

    it("writes keys, features, times in microseconds and the generation of the row's file", async () => {
      const { staged, rows, folder } = await stage([
        [
          { k: 'b', v: 1, s: 'x', event: at(8), created: at(9) },
          { k: 'a', v: 1, event: at(8) },
        ],
        [{ k: 'a', v: 2, event: at(9) }],
      ]);
      expect(staged).toEqual([{ file: 'shard-0.parquet', rows: 2 }]);
      expect(rows).toEqual([
        ['a', '2.0', null, '978339600000000', null, '2'],
        ['b', '1.0', 'x', EIGHT, '978339600000000', '1'],
      ]);
      const names = await fixtures.query(
        `SELECT name FROM parquet_schema('${join(folder, 'shard-0.parquet')}') WHERE type IS NOT NULL`,
      );
      expect(names.flat()).toEqual([
        'key',
        'value',
        'text',
        '__event_time',
        '__created_time',
        '__generation',
      ]);
    });

    it('without timestamps takes the greatest row and the given event time', async () => {
      const request: NewestRequest = {
        name: 'view x',
        relation: relation(
          SCHEMA,
          await fixtures.rows(SCHEMA, [
            { k: 'a', v: 1 },
            { k: 'a', v: 3 },
            { k: 'b', v: null },
          ]),
        ),
        joinKeys: [{ name: 'k', column: 'k', type: 'string' }],
        features: [{ name: 'v', column: 'v', type: 'float32' }],
        eventTime: NOON,
        rowsPerShard: 10,
        rowsPerGroup: 10,
        folder: mkdtempSync(join(fixtures.folder, 'stage-')),
      };
      await session().stageNewest(request);
      expect(await fixtures.read(join(request.folder, 'shard-0.parquet'))).toEqual([
        ['a', '3.0', '978350400000000', null, '0'],
        ['b', null, '978350400000000', null, '0'],
      ]);
    });

    it('splits entities over shards by their keys alone, each entity once, at most 16', async () => {
      const rows = Array.from({ length: 2000 }, (_, i) => ({
        k: `k${i % 500}`,
        j: BigInt(i % 3),
        v: i,
        event: at(8),
      }));
      const keys = [
        { name: 'k', column: 'k', type: 'string' },
        { name: 'j', column: 'j', type: 'int64' },
      ] as const;
      const place = async (given: typeof rows, rowsPerShard: number): Promise<string[]> => {
        const { staged, folder } = await stage([given], { joinKeys: keys, rowsPerShard });
        const shards = await Promise.all(
          staged.map(async ({ file, rows: count }, shard) => {
            const found = await fixtures.read(join(folder, file));
            expect(found.length).toBe(count);
            return found.map(([k, j]) => `${k}/${j}@${shard}`);
          }),
        );
        return shards.flat().sort();
      };
      const four = await place(rows, 375);
      expect(four).toHaveLength(1500);
      expect(new Set(four.map((entry) => entry.split('@')[1]))).toEqual(new Set(['0', '1', '2', '3']));
      expect(
        await place(
          rows.toReversed().map((row) => ({ ...row, v: 0 })),
          375,
        ),
      ).toEqual(four);
      // Over versions of the engine, too: the last eight bytes of the MD5 of the keys, each after its length, little-endian.
      for (const entry of four) {
        const [, k = '', j = '', shard] = /^(.*)\/(.*)@(.*)$/.exec(entry) ?? [];
        const digest = createHash('md5').update(`${k.length}:${k}${j.length}:${j}`).digest();
        expect(`${k} ${digest.readBigUInt64LE(8) % 4n}`).toBe(`${k} ${shard}`);
      }
      expect(new Set((await place(rows, 1)).map((entry) => entry.split('@')[1])).size).toBe(16);
    });

    it.each([
      ['neighbours', 1n, 100_000n],
      ['even numbers', 2n, 100_000n],
      ['multiples', 7919n, 5_000_000_000n],
      ['negative numbers', -3n, 0n],
      ['the greatest', 1n, 2n ** 63n - 20_001n],
    ])(
      'spreads whole numbers evenly over shards, and stages the same bytes again: %s',
      async (_, step, from) => {
        const rows = Array.from({ length: 20_000 }, (__, i) => ({
          j: from + BigInt(i) * step,
          event: at(8),
        }));
        const request = {
          joinKeys: [{ name: 'key', column: 'j', type: 'int64' }],
          rowsPerShard: 5000,
        } as const;
        const [one, two] = [await stage([rows], request), await stage([rows], request)];
        expect(one.staged.reduce((sum, shard) => sum + shard.rows, 0)).toBe(20_000);
        for (const { rows: count } of one.staged) expect(Math.abs(count - 5000)).toBeLessThan(500);
        for (const { file } of one.staged)
          expect(readFileSync(join(one.folder, file)).equals(readFileSync(join(two.folder, file)))).toBe(
            true,
          );
      },
    );

    it('gives one empty shard when there are no rows', async () => {
      expect((await stage([[]])).staged).toEqual([{ file: 'shard-0.parquet', rows: 0 }]);
    });

    it('writes row groups of the size asked for, and a read resumes at any row', async () => {
      const rows = Array.from({ length: 5000 }, (_, i) => ({ k: `k${i}`, v: i, event: at(8) }));
      const { folder } = await stage([rows], { rowsPerShard: 10_000 });
      const shard = join(folder, 'shard-0.parquet');
      const groups = await fixtures.query(
        `SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata('${shard}') ORDER BY ALL`,
      );
      expect(groups).toEqual([
        ['0', '2048'],
        ['1', '2048'],
        ['2', '904'],
      ]);
      const read = async (options: { fromRow: number; every?: number }): Promise<unknown[]> => {
        const keys: unknown[] = [];
        for await (const { columns } of session().read(relation({ key: 'string' }, shard), options))
          keys.push(...(columns[0] ?? []));
        return keys;
      };
      const all = await read({ fromRow: 0 });
      expect(all).toEqual(rows.map(({ k }) => k));
      for (const fromRow of [1, 2047, 2048, 4096, 4990, 5000])
        expect(await read({ fromRow })).toEqual(all.slice(fromRow));
      expect(await read({ fromRow: 0, every: 100 })).toEqual(all.filter((__, i) => i % 100 === 0));
    });

    it.each([
      [
        'a NULL key',
        [
          { k: null, event: at(8) },
          { k: null, event: at(8) },
        ],
        {},
        failure('NullKey', 'view x', '"k"', '2 rows'),
      ],
      ['a NULL event time', [{ event: null }], {}, failure('MissingTimestamp', 'view x', '"event"', '1 row')],
      [
        'a value beyond float32',
        [{ v: 1e39, event: at(8) }],
        { features: [{ name: 'value', column: 'v', type: 'float32' }] },
        failure('ValueOutOfRange', 'view x', '"value"', 'float32', '1e+39'),
      ],
      [
        'a feature of another kind',
        [{ v: 1, event: at(8) }],
        { features: [{ name: 'value', column: 'v', type: 'int64' }] },
        failure('SchemaMismatch', '"v"', 'float64', 'int64'),
      ],
      [
        'a feature without its column',
        [{ v: 1, event: at(8) }],
        { features: [{ name: 'w', column: 'w', type: 'int64' }] },
        failure('SchemaMismatch', '"w"'),
      ],
    ] as readonly [string, readonly Given[], Partial<NewestRequest>, (error: unknown) => void][])(
      'refuses %s',
      async (_, rows, more, check) => {
        await rejects(stage([rows], more), check);
      },
    );
  });
}
