import { describe, expect, it } from 'vitest';
import type { Schema } from '../../definitions/types.js';
import type { RowSplit } from '../../providers/offline/provider.js';
import { runJoin, type JoinEngine } from '../support/offline-join.js';
import { referencePart, type Values } from '../support/pit-reference.js';

const SCHEMA = {
  k: 'string',
  j: 'int64',
  b: 'bytes',
  at: 'timestamp',
  t: 'timestamp',
  y: 'int32',
} as const satisfies Schema;
const NOON = '2001-03-04 12:00';
/** 2001-03-04T12:00Z. */
const NOON_MICROS = 983_707_200_000_000n;
const TEXTS = ['a', '', 'NULL', '1:a', 'é', 'e\u0301', '😀', '￿', "it's", null];

/** Which part of a training set a row belongs to: the column `split`. */
export function splitConformance(engine: () => JoinEngine): void {
  const split = async (by: RowSplit, rows: readonly Values[], timestampField?: 't'): Promise<unknown[]> => {
    const { rows: found } = await runJoin(engine(), {
      spine: {
        schema: SCHEMA,
        rows: rows.map((row, y) => ({ k: null, j: null, b: null, at: NOON, t: NOON, ...row, y })),
        split: by,
        ...(timestampField === undefined ? {} : { timestampField }),
      },
      label: 'y',
      views: [],
    });
    expect(found.map((row) => row[1])).toEqual(rows.map((_, y) => y));
    return found.map(([part]) => part);
  };

  describe('splits', () => {
    it('by time: from `test` on the test, before it from `validation` on the validation, the rest trains, without a time no part', async () => {
      const by: RowSplit = {
        by: 'time',
        validation: '2001-03-04T11:00:00Z',
        test: '2001-03-04T12:00:00.000001Z',
      };
      const times = ['10:59:59.999999', '11:00', '12:00', '12:00:00.000001', '23:00'];
      const rows = [...times.map((time) => ({ t: `2001-03-04 ${time}` })), { t: null }];
      expect(await split(by, rows, 't')).toEqual(['train', 'validation', 'validation', 'test', 'test', null]);
      expect(await split({ by: 'time', test: '2001-03-04T12:00:00Z' }, rows, 't')).toEqual([
        'train',
        'train',
        'test',
        'test',
        'test',
        null,
      ]);
    });

    it('by time: a time in another zone is the same instant', async () => {
      const by: RowSplit = { by: 'time', test: '2001-03-04T12:00:00Z' };
      expect(
        await split(by, [{ t: '2001-03-04 20:59:59+09:00' }, { t: '2001-03-04 21:00:00+09:00' }], 't'),
      ).toEqual(['train', 'test']);
    });

    it.each([
      ['texts', [{ column: 'k', type: 'string' }]],
      ['integers beyond 2^53', [{ column: 'j', type: 'int64' }]],
      ['bytes', [{ column: 'b', type: 'bytes' }]],
      [
        'several keys',
        [
          { column: 'k', type: 'string' },
          { column: 'j', type: 'int64' },
          { column: 'b', type: 'bytes' },
        ],
      ],
    ] as const)('by entity: as the reference says, of %s', async (_, keys) => {
      const rows = TEXTS.flatMap((k, i) =>
        [null, -1n, 9007199254740993n + BigInt(i)].map((j, n) => ({
          k,
          j,
          b: n === 0 ? null : new Uint8Array([i, 255, n]),
        })),
      );
      for (const [seed, validation] of [
        ['', 0.2],
        ["it's 😀", undefined],
      ] as const) {
        const by: RowSplit = {
          by: 'entity',
          keys,
          seed,
          test: 0.3,
          ...(validation === undefined ? {} : { validation }),
        };
        expect(await split(by, rows)).toEqual(rows.map((row) => referencePart(by, row)));
      }
    });

    it('by entity: of a timestamp the microseconds count', async () => {
      const by: RowSplit = { by: 'entity', keys: [{ column: 'at', type: 'timestamp' }], seed: '', test: 0.5 };
      const offsets = Array.from({ length: 20 }, (_, i) => i);
      const rows = offsets.map((i) => ({ at: `2001-03-04 21:00:00.${String(i).padStart(6, '0')}+09:00` }));
      const expected = offsets.map((i) => referencePart(by, { at: NOON_MICROS + BigInt(i) }));
      expect(await split(by, rows)).toEqual(expected);
      expect(new Set(expected).size).toBe(2);
    });

    it('by entity: all rows of an entity are in one part, also those without a key, and the shares are about right', async () => {
      const by: RowSplit = {
        by: 'entity',
        keys: [{ column: 'k', type: 'string' }],
        seed: 's',
        validation: 0.1,
        test: 0.2,
      };
      const rows = Array.from({ length: 3000 }, (_, i) => ({
        k: i % 1000 === 0 ? null : `user-${i % 1000}`,
      }));
      const parts = await split(by, rows);
      const count = new Map<unknown, number>();
      for (const [i, part] of parts.entries()) {
        expect(part).toBe(parts[i % 1000]);
        count.set(part, (count.get(part) ?? 0) + 1 / 3000);
      }
      expect(count.get('test')).toBeCloseTo(0.2, 1);
      expect(count.get('validation')).toBeCloseTo(0.1, 1);
      expect(count.get('train')).toBeCloseTo(0.7, 1);
    });
  });
}
