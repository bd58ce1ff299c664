import { describe, expect, it } from 'vitest';
import { failure, rejects } from '../support/offline-fixtures.js';
import { runJoin, type JoinEngine, type JoinedRows } from '../support/offline-join.js';
import { POINT_IN_TIME_LABELS, POINT_IN_TIME_VIEW } from './pit-case.js';

const at = (time: string): string => `2001-03-04 ${time}`;

/** Label rows that pass a condition in SQL. */
export function whereConformance(engine: () => JoinEngine): void {
  const join = (where: string): Promise<JoinedRows> =>
    runJoin(engine(), {
      spine: {
        schema: POINT_IN_TIME_LABELS,
        timestampField: 't',
        rows: [
          { k: 'a', j: 1n, t: at('12:00'), y: 0 },
          { k: "b'", j: 2n, t: at('13:00'), y: 1 },
          { k: null, j: null, t: at('14:00'), y: 2 },
          { k: '12', j: 4n, t: null, y: 3 },
        ],
        where,
      },
      label: 'y',
      views: [
        {
          schema: POINT_IN_TIME_VIEW,
          rows: [{ k: 'a', event: at('11:00'), v: 5 }],
          on: { k: 'k' },
          timestampField: 'event',
          columns: ['v'],
        },
      ],
    });
  const labels = async (where: string): Promise<unknown[]> =>
    (await join(where)).rows.map((row) => row.at(-1));

  describe('a condition over the label rows', () => {
    it.each([
      ['keeps the rows for which it holds', 'j >= 2', [1, 3]],
      ['drops those for which it is unknown', 'NOT (j = 2)', [0, 3]],
      ['sees columns that the set does not carry', "t < timestamptz '2001-03-04 13:00:00Z'", [0]],
      ['is one condition, whatever stands beside it', 'y = 0 OR y = 2', [0, 2]],
      ['may end in a comment', "k = 'b''' -- only these", [1]],
      ['may be of several lines, with a comment within', '/* first */ y > 0\n AND y < 3 -- last\n', [1, 2]],
      ['may have a text that looks like an end or a reference', "k <> 'a;{{b}}' AND k <> 'a'", [1, 3]],
      ['may hold for none', 'false', []],
      ['may hold for all', 'true', [0, 1, 2, 3]],
      ['may be a name of a truth value only', 'k IS NULL', [2]],
    ])('%s', async (_, where, expected) => {
      expect(await labels(where)).toEqual(expected);
    });

    it('filters before anything is joined or counted', async () => {
      const { rows, statistics } = await join("k = 'a'");
      expect(rows).toEqual([[5, 0]]);
      expect(statistics).toMatchObject({ rows: 1, matched: [1] });
    });

    it.each([
      ['names a column that is not there', 'nothing > 1', 'nothing'],
      ['is no SQL', 'y >', 'syntax'],
      ['is empty', '', 'syntax'],
      ['is two conditions', 'y > 1; SELECT 1', /./],
      ['counts', 'count(*) > 1', 'aggregate'],
      ['fails on a row', 'CAST(k AS integer) = 12 OR y = 9', '\'a\'|"a"'],
    ] as const)(
      'is refused when it %s: with the training set, the condition and the words of the engine',
      async (_, where, words) => {
        await rejects(
          join(where),
          failure(
            'QueryFailed',
            'training set x',
            'labels',
            `\n  ${where}\n`,
            typeof words === 'string' ? new RegExp(words, 'i') : words,
          ),
        );
      },
    );

    it('is refused when it is no truth value', async () => {
      const refusal = await join('y + 1').then(
        () => undefined,
        (error: unknown) => error as { code: string; message: string },
      );
      expect(['QueryFailed', 'SchemaMismatch']).toContain(refusal?.code);
      expect(refusal?.message).toContain('y + 1');
      expect(refusal?.message).toMatch(/integer.*boolean|boolean.*integer/is);
      expect(refusal?.message).toContain('training set x');
    });
  });
}
