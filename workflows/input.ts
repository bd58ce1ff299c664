import { ApplicationFailure } from '@temporalio/workflow';
import { ORDERS, REPROCESS, MOST_AT_ONCE, type BackfillRequest } from '../definitions/backfill.js';
import { didYouMean } from '../definitions/names.js';

/** The input of `pipeline`. Every field may be left out. */
export interface PipelineInput {
  /** A pipeline's name; may be left out when the project has one. */
  readonly pipeline?: string;
  /** The interval that starts on this date, local to the schedule's time zone. */
  readonly date?: string;
  /** One interval of the schedule by its ends, ISO-8601. */
  readonly from?: string;
  readonly to?: string;
  /** Only these targets and what they need. */
  readonly targets?: readonly string[];
  /** Makes again what is already valid. */
  readonly rebuild?: boolean;
}

/** The input of `materialize`: an empty one loads what every view's online store lacks of what is recorded. */
export interface MaterializeInput extends Omit<PipelineInput, 'targets'> {
  /** One feature view's name: it is brought up to date for one interval of its pipeline, with everything that it needs. */
  readonly view?: string;
  /**
   * Names of feature views: they are loaded from the versions that are recorded, and nothing is built. Default: all that are served online. `from`
   * and `to` bound what is loaded, either may be left out, and may be relative: `-2d`, `now`.
   */
  readonly views?: readonly string[];
  /**
   * Loads everything that is current anew (with `from`: what ends after it), builds nothing, and takes entities away that none of it has.
   * Then `from` and `to` need not be ends of an interval.
   */
  readonly fullRefresh?: boolean;
  /** Who asks for a full refresh, `user@host`. Default: `Temporal UI`. */
  readonly by?: string;
}

/** The input of `trainingSet`. */
export interface TrainingSetInput extends Omit<PipelineInput, 'targets'> {
  /** A training set's name. */
  readonly trainingSet: string;
  /**
   * Instead of an interval: everything before this instant from the versions that were recorded then, ISO-8601. Nothing upstream is built.
   */
  readonly asOf?: string;
}

/** The input of `rollback`. */
export interface RollbackInput {
  /** A feature set's name. */
  readonly featureSet: string;
  /** The earlier version of the newest interval whose bytes are to come back: `v_20260131T000312`. Default: the newest that differs. */
  readonly version?: string;
  /** Kept in the registry and in metadata.json. */
  readonly reason?: string;
  /** Who asks for it, `user@host`; client and command fill it in. Default: `Temporal UI`. */
  readonly by?: string;
}

/** The input of `promote`. */
export interface PromoteInput {
  /** A name: `user_features`, `view/user_features`. */
  readonly name: string;
  /** The variant that is to become the default. */
  readonly variant?: string;
  /** Instead of `variant`: the one that was the default before the last promotion. */
  readonly previous?: boolean;
  /** Kept in the registry. */
  readonly reason?: string;
  /** Who asks for it, `user@host`; client and command fill it in. Default: `Temporal UI`. */
  readonly by?: string;
}

/** The input of `apply`. */
export interface ApplyInput {
  /** The name under which `granary apply` noted what is to be applied. Default: the worker's own project is applied. */
  readonly apply?: string;
}

/** The input of `remove`. */
export interface RemoveInput {
  /** A resource's name: `user_features`, `view/user_features`, `source/user_features.v2`. */
  readonly resource: string;
  /** Kept in the registry. */
  readonly reason?: string;
  /** Who asks for it, `user@host`; client and command fill it in. Default: `Temporal UI`. */
  readonly by?: string;
}

/** The input of `deadline`. */
export interface DeadlineInput {
  /** A pipeline's name: of it the interval is watched that ends at the schedule's tick or, started by hand, the last complete one. */
  readonly pipeline: string;
}

/** The input of `backfill`: an empty one makes what was never made of the only pipeline. */
export interface BackfillInput extends BackfillRequest {
  /** Who asks for it, `user@host`; client and command fill it in. Default: `Temporal UI`. */
  readonly by?: string;
  /** The name under which client and command have noted it. Leave it out: it gets one. */
  readonly name?: string;
}

type FieldType = 'text' | 'texts' | 'flag' | 'count';
export type Fields = Readonly<Record<string, { readonly type: FieldType; readonly required?: true }>>;

const COMMON: Fields = {
  pipeline: { type: 'text' },
  date: { type: 'text' },
  from: { type: 'text' },
  to: { type: 'text' },
  rebuild: { type: 'flag' },
};

export const PIPELINE_FIELDS: Fields = { ...COMMON, targets: { type: 'texts' } };
export const MATERIALIZE_FIELDS: Fields = {
  ...COMMON,
  view: { type: 'text' },
  views: { type: 'texts' },
  fullRefresh: { type: 'flag' },
  by: { type: 'text' },
};
export const TRAINING_SET_FIELDS: Fields = {
  ...COMMON,
  trainingSet: { type: 'text', required: true },
  asOf: { type: 'text' },
};
export const ROLLBACK_FIELDS: Fields = {
  featureSet: { type: 'text', required: true },
  version: { type: 'text' },
  reason: { type: 'text' },
  by: { type: 'text' },
};

export const PROMOTE_FIELDS: Fields = {
  name: { type: 'text', required: true },
  variant: { type: 'text' },
  previous: { type: 'flag' },
  reason: { type: 'text' },
  by: { type: 'text' },
};

export const DEADLINE_FIELDS: Fields = { pipeline: { type: 'text', required: true } };
export const APPLY_FIELDS: Fields = { apply: { type: 'text' } };
export const REMOVE_FIELDS: Fields = {
  resource: { type: 'text', required: true },
  reason: { type: 'text' },
  by: { type: 'text' },
};

export const BACKFILL_FIELDS: Fields = {
  pipeline: { type: 'text' },
  targets: { type: 'texts' },
  from: { type: 'text' },
  to: { type: 'text' },
  reprocess: { type: 'text' },
  concurrency: { type: 'count' },
  order: { type: 'text' },
  maxFailures: { type: 'count' },
  by: { type: 'text' },
  name: { type: 'text' },
};

/**
 * Checks what somebody typed into the box of Temporal's UI. An empty box sends nothing. All problems are told at once, with
 * an example that works.
 * @throws ApplicationFailure `InvalidInput`, non-retryable.
 */
export function parseInput<T extends object>(
  workflow: string,
  input: unknown,
  fields: Fields,
  example: object,
  rules: (input: Readonly<Record<string, unknown>>) => readonly string[] = intervalRules,
): T {
  const fail = (problems: readonly string[]): ApplicationFailure =>
    ApplicationFailure.create({
      type: 'InvalidInput',
      nonRetryable: true,
      message: `The input of ${workflow} is wrong: ${problems.join('; ')}. Right, for example: ${JSON.stringify(example)}`,
      details: [{ problems }],
    });
  const value = input ?? {};
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array)
    throw fail([
      `it must be one JSON object, not ${Array.isArray(value) ? 'a list' : value instanceof Uint8Array ? 'bytes' : `a ${typeof value}`}`,
    ]);
  const problems: string[] = [];
  for (const [key, item] of Object.entries(value)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (!field) problems.push(`unknown field "${key}". ${didYouMean(key, Object.keys(fields))}`);
    else if (item !== null && !fits(item, field.type))
      problems.push(`"${key}" must be ${WORDS[field.type]}, not ${JSON.stringify(item)}`);
  }
  const present = Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
  for (const [key, { required }] of Object.entries(fields))
    if (required && !Object.hasOwn(present, key)) problems.push(`"${key}" is missing`);
  problems.push(...rules(present));
  if (problems.length > 0) throw fail(problems);
  return present as T;
}

/** What runs for one interval may be given of it. */
function intervalRules(input: Readonly<Record<string, unknown>>): readonly string[] {
  const problems: string[] = [];
  if (Object.hasOwn(input, 'from') !== Object.hasOwn(input, 'to'))
    problems.push('"from" and "to" go together');
  if (Object.hasOwn(input, 'date') && Object.hasOwn(input, 'from'))
    problems.push('give "date" or "from" and "to", not both');
  return problems;
}

/** `materialize` makes one view for an interval, or loads any from what is recorded. */
export function materializeRules(input: Readonly<Record<string, unknown>>): readonly string[] {
  const has = (field: string): boolean => Object.hasOwn(input, field);
  if (has('view')) {
    const both = has('views') ? ['give "view" or "views", not both'] : [];
    return [...(has('fullRefresh') ? [] : intervalRules(input)), ...both];
  }
  return ['pipeline', 'date', 'rebuild']
    .filter(has)
    .map((field) => `"${field}" goes with "view" alone: what is recorded is loaded by "from" and "to"`);
}

/** `backfill`'s choices, and how many intervals may be in flight. */
export function backfillRules(input: Readonly<Record<string, unknown>>): readonly string[] {
  const choice = (field: string, choices: readonly string[]): readonly string[] => {
    const value = input[field];
    return typeof value !== 'string' || choices.includes(value)
      ? []
      : [
          `"${field}" must be ${choices.join(', ').replace(/, ([^,]*)$/, ' or $1')}, not ${JSON.stringify(value)}`,
        ];
  };
  const { concurrency } = input;
  return [
    ...choice('reprocess', REPROCESS),
    ...choice('order', ORDERS),
    ...(typeof concurrency === 'number' && concurrency > MOST_AT_ONCE
      ? [`"concurrency" must be at most ${MOST_AT_ONCE}, not ${concurrency}`]
      : []),
  ];
}

const WORDS: Record<FieldType, string> = {
  text: 'a text',
  texts: 'a list of texts',
  flag: 'true or false',
  count: 'a whole number from 1',
};

function fits(value: unknown, type: FieldType): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string' && value !== '';
    case 'count':
      return Number.isInteger(value) && Number(value) >= 1;
    case 'flag':
      return typeof value === 'boolean';
    case 'texts':
      return (
        Array.isArray(value) &&
        value.length > 0 &&
        value.every((item) => typeof item === 'string' && item !== '')
      );
  }
}
