import { describe, expect, it } from 'vitest';
import { maxNullRate, notNull, range, rowCount, unique, type RowRule } from '../../definitions/validation.js';
import { failure, rejects, relation, type OfflineSuite } from '../support/offline-fixtures.js';

export const VALIDATE_SCHEMA = { k: 'int64', x: 'float64', s: 'string', big: 'int64' } as const;

export const VALIDATE_ROWS = [
  { k: 1n, x: 1, s: 'a', big: 9007199254740993n },
  { k: 1n, x: NaN, s: null, big: 1n },
  { k: 2n, x: null, s: 'a', big: null },
  { k: 2n, x: 5, s: null, big: null },
];
/** A rule, whether it holds for these rows, the number it compares, and what it says. */
export const VALIDATE_CASES: readonly [rule: RowRule, passed: boolean, observed: number, says: RegExp][] = [
  [notNull('k'), true, 0, /k: 0 of 4 rows/],
  [notNull('x'), false, 1, /x: 1 of 4 rows is NULL/],
  [maxNullRate('x', 0.25), true, 0.25, /x.*0\.25/],
  [maxNullRate('s', 0.49), false, 0.5, /s: 2 of 4 rows.*0\.5.*0\.49/],
  [range('x', { min: 1, max: 5 }), false, 1, /x: 1 of 4 rows is outside \[1, 5\]/],
  [range('x', { min: 1 }), false, 1, /outside \[1, inf\)/],
  [range('x', { max: 4.5 }), false, 2, /outside \(-inf, 4\.5\]/],
  [range('k', { min: 0.5, max: 2.5 }), true, 0, /k/],
  [range('k', { min: 1.5 }), false, 2, /k/],
  [range('big', { max: 9007199254740992 }), false, 1, /big/],
  [range('big', { min: -1e300, max: 1e300 }), true, 0, /big/],
  [unique('k'), false, 2, /k: 2 of 4 rows are duplicates/],
  [unique('s'), false, 2, /s/],
  [unique('k', 's'), true, 0, /k, s/],
  [rowCount({ min: 4, max: 4 }), true, 4, /4 rows/],
  [rowCount({ min: 5 }), false, 4, /4 rows.*\[5, inf\)/],
  [rowCount({ max: 3 }), false, 4, /4 rows.*\(-inf, 3\]/],
];

/** Validation: each rule's verdict, the number it compares and its sentence. */
export function validateConformance({ fixtures, session }: OfflineSuite): void {
  describe('validate', () => {
    it.each(VALIDATE_CASES.map((entry) => [JSON.stringify(entry[0]), entry] as const))(
      '%s',
      async (_, [rule, passed, observed, says]) => {
        const source = relation(VALIDATE_SCHEMA, await fixtures.rows(VALIDATE_SCHEMA, VALIDATE_ROWS));
        expect(await session().validate(source, [rule])).toEqual([
          { rule, passed, observed, message: expect.stringMatching(says) as string },
        ]);
      },
    );

    it('judges all rules in order, over every file; without rows only a row count can fail', async () => {
      const two = relation(VALIDATE_SCHEMA, [
        await fixtures.rows(VALIDATE_SCHEMA, VALIDATE_ROWS),
        await fixtures.rows(VALIDATE_SCHEMA, VALIDATE_ROWS),
      ]);
      const results = await session().validate(two, [unique('k', 's'), rowCount({ min: 8 }), notNull('x')]);
      expect(results.map(({ observed }) => observed)).toEqual([4, 8, 2]);
      const none = relation(VALIDATE_SCHEMA, await fixtures.rows(VALIDATE_SCHEMA, []));
      const empty = await session().validate(none, [
        unique('k'),
        maxNullRate('x', 0),
        notNull('x'),
        range('x', { min: 0 }),
        rowCount({ min: 1 }),
      ]);
      expect(empty.map(({ passed }) => passed)).toEqual([true, true, true, true, false]);
    });

    it.each([
      [notNull('nope'), failure('InvalidDefinition', 'notNull', '"nope"', '"k"')],
      [unique('k', 'nope'), failure('InvalidDefinition', '"nope"')],
      [range('s', { min: 0 }), failure('InvalidDefinition', "range('s')", 'string')],
    ] as const)('refuses a rule that the columns cannot have: %o', async (rule, check) => {
      await rejects(
        session().validate(relation(VALIDATE_SCHEMA, await fixtures.rows(VALIDATE_SCHEMA, VALIDATE_ROWS)), [
          rule,
        ]),
        check,
      );
    });
  });
}
