import { GranaryError, messageOf } from '../../../definitions/errors.js';
import { sqlState, stateProblem, type PostgresProblem } from '../../../definitions/postgres-errors.js';

/** What SQLSTATE codes mean of the tables of views; the others mean the same everywhere. */
const OF_VIEWS: Readonly<Record<string, PostgresProblem>> = {
  '42P01': { code: 'StoreReplaced', meaning: 'the table of a view is gone' },
  '3F000': { code: 'StoreReplaced', meaning: 'the schema is gone' },
  '42703': {
    code: 'SchemaMismatch',
    meaning: 'the table lacks the column of a feature; prepare the view again',
  },
};

/** Whether an error says that a table, or its schema, is not there. */
export const isTableGone = (error: unknown): boolean => ['42P01', '3F000'].includes(sqlState(error) ?? '');

/** An error of Postgres as a GranaryError that names the server, never the password. */
export function postgresError(error: unknown, server: string): GranaryError {
  if (error instanceof GranaryError) return error;
  const state = sqlState(error);
  if (state === undefined)
    return new GranaryError('ProviderUnreachable', `${server} does not answer: ${describe(error)}.`, {
      cause: error,
    });
  const known = OF_VIEWS[state] ?? stateProblem(state);
  return new GranaryError(
    known?.code ?? 'QueryFailed',
    `${server}: ${known?.meaning ?? 'it refused a statement'} (${state}: ${messageOf(error)}).`,
    { cause: error },
  );
}

function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(messageOf).join(', ');
  return messageOf(error);
}
