import { type ErrorCode, GranaryError, messageOf } from '../../../definitions/errors.js';

/** What SQLSTATE codes mean here, the longest prefix first, and what to do. */
const STATES: readonly (readonly [prefix: string, code: ErrorCode, meaning: string])[] = [
  ['28', 'ConfigurationMissing', 'it refuses the user or the password'],
  ['3D000', 'ConfigurationMissing', 'the database does not exist'],
  ['42501', 'ConfigurationMissing', 'the user lacks a privilege'],
  ['25006', 'ProviderUnreachable', 'it is read-only: give the address of the primary'],
  ['53100', 'ResourcesExhausted', 'its disk is full'],
  ['53', 'ResourcesExhausted', 'it is short of memory or connections'],
  ['57014', 'ProviderUnreachable', 'it took too long and was cancelled'],
  ['57P', 'ProviderUnreachable', 'it is starting up or shutting down'],
  ['08', 'ProviderUnreachable', 'the connection broke'],
  ['40', 'ProviderUnreachable', 'it gave up a transaction that others were in the way of'],
  ['42P01', 'StoreReplaced', 'the table of a view is gone'],
  ['3F000', 'StoreReplaced', 'the schema is gone'],
  ['42703', 'SchemaMismatch', 'the table lacks the column of a feature; prepare the view again'],
];

/** The SQLSTATE of an error that Postgres sent; `undefined` for an error of the connection. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return 'severity' in error && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/** An error of Postgres as a GranaryError that names the server, never the password. */
export function postgresError(error: unknown, server: string): GranaryError {
  if (error instanceof GranaryError) return error;
  const state = sqlState(error);
  if (state === undefined)
    return new GranaryError('ProviderUnreachable', `${server} does not answer: ${describe(error)}.`, {
      cause: error,
    });
  const known = STATES.find(([prefix]) => state.startsWith(prefix));
  return new GranaryError(
    known?.[1] ?? 'QueryFailed',
    `${server}: ${known?.[2] ?? 'it refused a statement'} (${state}: ${messageOf(error)}).`,
    { cause: error },
  );
}

function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(messageOf).join(', ');
  return messageOf(error);
}
