import { GranaryError, messageOf } from '../../../definitions/errors.js';

/** What a CSV value that is not of its declared type makes the engine say (see relation-sql.ts). */
export const CSV_VALUE = 'CSV value refused: ';

/**
 * The engine's error as one of ours: `ResourcesExhausted` for memory and disk, `ValueOutOfRange` for values,
 * `SchemaMismatch` for a CSV value of another type, else `QueryFailed`.
 * @param subject what was being done, for the message: `the query of feature set x`.
 */
export function fromEngine(error: unknown, subject: string): GranaryError {
  if (error instanceof GranaryError) return error;
  const message = messageOf(error).trim();
  const csv = message.indexOf(CSV_VALUE);
  if (csv >= 0) return new GranaryError('SchemaMismatch', firstLine(message.slice(csv + CSV_VALUE.length)));
  const cause = { cause: error };
  if (/^Out of Memory Error|No space left on device|could not allocate|bad allocation/i.test(message))
    return new GranaryError(
      'ResourcesExhausted',
      `${subject} ran out of memory or disk: ${firstLine(message)} Raise the worker's memory budget or free its disk.`,
      cause,
    );
  if (/^Out of Range Error|out of range|overflow/i.test(message))
    return new GranaryError('ValueOutOfRange', `${subject}: ${firstLine(message)}`, cause);
  if (
    /Parquet|TProtocolException|corrupt|Snappy|ZSTD Decompression/i.test(message) &&
    /^(IO|Invalid Input|Invalid) Error/.test(message)
  )
    return new GranaryError('SourceInvalid', `${subject} cannot read a file: ${firstLine(message)}`, cause);
  return new GranaryError('QueryFailed', `${subject} failed: ${message}`, cause);
}

/** The engine appends the statement and hints after its message; the first line says what happened. */
export function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
