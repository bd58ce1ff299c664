import { GranaryError, messageOf, type ErrorCode } from '../../../definitions/errors.js';
import { connectionLost, sqlState, stateProblem } from '../../../definitions/postgres-errors.js';

/** What SQLSTATE codes mean of SQL over sources; the others mean the same everywhere. */
const OF_QUERIES: Readonly<Record<string, { readonly code: ErrorCode; readonly hint: string }>> = {
  '22003': { code: 'ValueOutOfRange', hint: 'Declare a wider type, or cast in the SQL.' },
  '22008': { code: 'ValueOutOfRange', hint: 'Filter such values out.' },
  '57014': {
    code: 'TimedOut',
    hint: "Raise the timeout of its definition, or the database's statement_timeout.",
  },
  '42501': { code: 'ConfigurationMissing', hint: 'Grant the privilege to the user of the binding.' },
  '40001': { code: 'ProviderUnreachable', hint: '' },
};

/** An error of Postgres as a GranaryError that says what was being done, and never a password. */
export function offlineError(error: unknown, subject: string, server: string): GranaryError {
  if (error instanceof GranaryError) return error;
  const lost = connectionLost(error);
  const state = sqlState(error);
  const text = messageOf(error);
  if (lost !== undefined || state === undefined)
    return new GranaryError(
      'ProviderUnreachable',
      `${server} does not answer (${lost ?? text}). Check that it runs, and the address in the environment's binding.`,
      { cause: error },
    );
  const own = OF_QUERIES[state];
  if (own)
    return new GranaryError(
      own.code,
      `${subject} failed in ${server}: ${text} (${state}). ${own.hint}`.trim(),
      {
        cause: error,
      },
    );
  const problem = stateProblem(state);
  if (problem)
    return new GranaryError(problem.code, `${server}: ${problem.meaning} (${state}: ${text}).`, {
      cause: error,
    });
  return new GranaryError('QueryFailed', `${subject} failed in ${server}: ${text} (${state}).`, {
    cause: error,
  });
}
