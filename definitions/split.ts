import { GranaryError } from './errors.js';
import type { Label } from './label.js';
import { Timestamp, type TimestampLike } from './timestamp.js';

/** The names of a training set's parts, in the column `split`. */
export const SPLIT_PARTS = ['train', 'validation', 'test'] as const;
export type SplitPart = (typeof SPLIT_PARTS)[number];

/** The column that says which part a row belongs to. */
export const SPLIT_COLUMN = 'split';

/** How a training set's rows are divided. The same rows are always divided in the same way, on every engine. */
export type Split =
  | {
      readonly by: 'time';
      /** Rows at or after this instant, and before `test`, are for validation; ISO-8601. */
      readonly validation?: string;
      /** Rows at or after this instant are for the test; ISO-8601. */
      readonly test: string;
    }
  | {
      readonly by: 'entity';
      /** Shares between 0 and 1 of the entities. */
      readonly validation?: number;
      readonly test: number;
      /** The label's role whose join keys decide; undefined: its only one. */
      readonly role?: string;
      /** Another seed divides the entities anew. */
      readonly seed: string;
    };

/**
 * Divides by the label's time: rows before `validation` (or else `test`) train, those from `test` on are the test. A row without a time belongs to
 * no part: its `split` is NULL.
 * @throws GranaryError `InvalidDefinition` when `validation` is not before `test`.
 */
export function splitByTime(at: {
  readonly validation?: TimestampLike;
  readonly test: TimestampLike;
}): Split {
  const test = Timestamp.from(at.test);
  const validation = at.validation === undefined ? undefined : Timestamp.from(at.validation);
  if (validation !== undefined && validation.micros >= test.micros)
    throw new GranaryError(
      'InvalidDefinition',
      `splitByTime: validation (${validation.toString()}) must lie before test (${test.toString()}).`,
    );
  return {
    by: 'time',
    ...(validation === undefined ? {} : { validation: validation.toString() }),
    test: test.toString(),
  };
}

/**
 * Divides by a hash of the entity's join keys, so that all rows of an entity are in one part, in every run and on every engine. Rows without a key
 * count as one entity.
 * @throws GranaryError `InvalidDefinition` for shares below 0, or of 1 and more together.
 */
export function splitByEntity(shares: {
  readonly validation?: number;
  readonly test: number;
  readonly role?: string;
  readonly seed?: string;
}): Split {
  const { validation = 0, test, role, seed = '' } = shares;
  if (!(test > 0) || !(validation >= 0) || !(test + validation < 1))
    throw new GranaryError(
      'InvalidDefinition',
      `splitByEntity: test (${test}) must be above 0, and together with validation (${validation}) below 1, for example { validation: 0.1, test: 0.2 }.`,
    );
  return {
    by: 'entity',
    ...(validation === 0 ? {} : { validation }),
    test,
    ...(role === undefined ? {} : { role }),
    seed,
  };
}

/** Checks a split against its label; the role of an entity split is settled. @throws GranaryError `InvalidDefinition`. */
export function splitOf(name: string, label: Label, split: Split): Split {
  if (split.by === 'time') {
    if (label.timestampField === undefined)
      throw new GranaryError(
        'InvalidDefinition',
        `The training set ${name} is split by time, but its label ${label.name} has no timestampField. Split by entity, or give the label a time.`,
      );
    return split;
  }
  const [only, another] = label.roles;
  const role =
    split.role === undefined && another === undefined ? only : label.roles.find((r) => r.role === split.role);
  if (role === undefined)
    throw new GranaryError(
      'InvalidDefinition',
      `The training set ${name}: name the role whose entities are split, splitByEntity({ ..., role }). Roles of the label ${label.name}: ${label.roles.map((r) => r.role).join(', ')}.`,
    );
  return { ...split, role: role.role };
}
