/**
 * The closed set of errors. `retryable` ones may go away by themselves (a server that comes back); no retry can mend
 * the others, and activities mark them non-retryable. The code is the failure's type in Temporal.
 */
export const ERROR_CODES = {
  InvalidDefinition: { retryable: false, meaning: 'a definition is wrong; nothing was registered' },
  InvalidInput: { retryable: false, meaning: 'an argument or a workflow input is wrong' },
  InvalidInterval: { retryable: false, meaning: 'an interval is empty, reversed or not one of the schedule' },
  UnknownResource: { retryable: false, meaning: 'no definition has that name' },
  ResourceChanged: { retryable: false, meaning: 'a definition changed under the same variant' },
  HandlerMissing: { retryable: false, meaning: 'the worker has no code for a TypeScript build' },
  ConfigurationMissing: { retryable: false, meaning: 'a setting or a secret is not there' },
  SourceMissing: { retryable: false, meaning: 'a source has no file or table' },
  SourceEmpty: { retryable: false, meaning: 'a source file has no bytes' },
  SourceInvalid: { retryable: false, meaning: 'a source file cannot be read: truncated, or another format' },
  SchemaMismatch: { retryable: false, meaning: 'columns are not those that were declared' },
  MissingTimestamp: { retryable: false, meaning: 'the event timestamp column is absent or NULL' },
  NullKey: { retryable: false, meaning: 'a join key is NULL' },
  ValueOutOfRange: { retryable: false, meaning: 'a value does not fit its declared type' },
  QueryFailed: { retryable: false, meaning: 'the engine refused a query or failed in it' },
  BuildFailed: { retryable: true, meaning: 'a TypeScript build threw' },
  ValidationFailed: { retryable: false, meaning: 'a validation rule failed; nothing was published' },
  ChecksumMismatch: { retryable: false, meaning: 'stored bytes differ from the recorded checksum' },
  OwnershipLost: { retryable: false, meaning: 'another run owns the interval now' },
  StaleToken: { retryable: true, meaning: 'a newer attempt has begun; this one may not commit' },
  StoreReplaced: {
    retryable: false,
    meaning: 'the online store was emptied or replaced during a load; the workflow loads anew',
  },
  OnlineMismatch: {
    retryable: false,
    meaning: 'the online store does not hold what was just loaded; the load was not recorded',
  },
  TimedOut: { retryable: true, meaning: 'an attempt of a step took longer than its timeout' },
  DeadlineExceeded: {
    retryable: false,
    meaning: 'a run or a step was not done by its deadline and was cancelled',
  },
  PastMissing: {
    retryable: false,
    meaning: 'the interval before is not valid, and the pipeline depends on its past',
  },
  ProviderUnreachable: { retryable: true, meaning: 'a provider does not answer' },
  ResourcesExhausted: { retryable: true, meaning: 'a disk or a memory limit was reached' },
  RollbackRefused: {
    retryable: false,
    meaning: 'a feature set cannot be rolled back to that version; nothing was changed',
  },
  RemovalRefused: {
    retryable: false,
    meaning: 'something depends on what is to be deleted; nothing was changed',
  },
  BeingRemoved: { retryable: false, meaning: 'what a run or a definition needs is being deleted' },
  PromotionRefused: {
    retryable: false,
    meaning: 'a variant cannot become the default; nothing was changed',
  },
  UpstreamFailed: { retryable: false, meaning: 'a step it depends on failed' },
  IntervalsFailed: { retryable: false, meaning: 'intervals of a backfill failed; the others were made' },
  StepsFailed: { retryable: false, meaning: 'steps of a run failed' },
  Internal: { retryable: true, meaning: 'an unforeseen error' },
} as const satisfies Record<string, { retryable: boolean; meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Every error that Granary throws on purpose. The message names the thing, the place and the remedy. */
export class GranaryError extends Error {
  override readonly name = 'GranaryError';
  readonly code: ErrorCode;
  /** Machine-readable particulars; never a secret, never rows. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  /** Whether trying again may help without anybody's doing. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
