import { messageOf, type ErrorCode } from './errors.js';

/** What an error of a Postgres server means, for the registry and for the online store alike. */
export interface PostgresProblem {
  readonly code: ErrorCode;
  /** What is the matter with "it", the server. */
  readonly meaning: string;
}

/** By SQLSTATE, the longest prefix first. */
const STATES: readonly (readonly [prefix: string, code: ErrorCode, meaning: string])[] = [
  ['28', 'ConfigurationMissing', 'it refuses the user or the password'],
  ['3D000', 'ConfigurationMissing', 'the database does not exist'],
  ['42501', 'ConfigurationMissing', 'the user lacks a privilege'],
  ['25006', 'ProviderUnreachable', 'it is read-only: give the address of the primary'],
  ['25P03', 'ProviderUnreachable', 'it ended a transaction that had stood still'],
  ['53100', 'ResourcesExhausted', 'its disk is full'],
  ['53', 'ResourcesExhausted', 'it is short of memory or connections'],
  ['55P03', 'ProviderUnreachable', 'others hold a table that is to be changed'],
  ['57014', 'ProviderUnreachable', 'it took too long and was cancelled'],
  ['57P', 'ProviderUnreachable', 'it is starting up or shutting down'],
  ['08', 'ProviderUnreachable', 'the connection broke'],
  ['40', 'ProviderUnreachable', 'it gave up a transaction that others were in the way of'],
];

/** The network's own codes for a server that cannot be reached or that left. */
const AWAY: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
]);

/** The SQLSTATE of an error that Postgres sent; `undefined` for an error of the connection. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return 'severity' in error && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/** What an SQLSTATE means wherever it comes up; undefined for those that a statement of ours is to blame for. */
export function stateProblem(state: string): PostgresProblem | undefined {
  const found = STATES.find(([prefix]) => state.startsWith(prefix));
  return found && { code: found[1], meaning: found[2] };
}

/** Where a server was looked for: ` at 127.0.0.1:5432`; empty where the error does not say. */
export function placeOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { address, hostname, port } = (first ?? {}) as Readonly<Record<string, unknown>>;
  const host = address ?? hostname;
  if (typeof host !== 'string') return '';
  return ` at ${host}${typeof port === 'number' ? `:${port}` : ''}`;
}

/** Why the server could not be reached, of an error that the network or the driver made; undefined for any other error. */
export function connectionLost(error: unknown): string | undefined {
  // Several addresses were tried: the first one speaks for all.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = first instanceof Error && 'code' in first ? String(first.code) : '';
  if (AWAY.has(code)) return code;
  const message = messageOf(error);
  return /Connection terminated|is not queryable|timeout exceeded when trying to connect|Query read timeout/i.test(
    message,
  )
    ? message
    : undefined;
}
