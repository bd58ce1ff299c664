import { GranaryError, messageOf, type ErrorCode } from '../definitions/errors.js';
import { registryError } from '../registry/database.js';

/** What a request is answered with where something is wrong. */
export interface Failure {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** HTTP statuses by code; the rest is 500. `details.status` of an error goes before. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  InvalidInput: 400,
  InvalidInterval: 400,
  NullKey: 400,
  ValueOutOfRange: 400,
  UnknownResource: 404,
  BeingRemoved: 409,
  ProviderUnreachable: 503,
  ResourcesExhausted: 503,
  // A store that refuses the password, as while it is rotated, or a secret that is not there: nothing that the caller can change.
  ConfigurationMissing: 503,
};

/** What Fastify and Node refuse by themselves, in words. */
const REFUSED: Readonly<Record<string, (maxBody: number) => string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: (max) =>
    `The body is larger than ${max} bytes. Ask in parts, or raise --max-body.`,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    'The body must be JSON: send the header "content-type: application/json".',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => 'The body is not as long as its content-length says.',
};

/**
 * The answer for anything thrown. A class of Feast's is told as Feast tells it, a text that holds JSON, so that its SDK raises it again; all else is
 * `{"detail": message, "code": code}`. Unforeseen errors keep their words for the log.
 */
export function failureOf(thrown: unknown, maxBody: number): Failure {
  const error = registryError(thrown);
  if (error instanceof GranaryError) {
    const { status, feast } = error.details;
    const code = typeof status === 'number' ? status : (STATUS[error.code] ?? 500);
    return {
      status: code,
      body: typeof feast === 'string' ? feastError(feast, error.message) : detail(error.message, error.code),
      ...(code === 503 ? { headers: { 'retry-after': '1' } } : {}),
    };
  }
  const { code = '', statusCode = 500 } = error as { readonly code?: string; readonly statusCode?: number };
  if (statusCode < 400 || statusCode > 499)
    return { status: 500, body: detail('The server failed. Its log says why.', 'Internal') };
  return {
    status: statusCode,
    body: detail(REFUSED[code]?.(maxBody) ?? messageOf(error), 'InvalidInput'),
  };
}

/** A class of Feast's as its server tells it: a text that holds JSON. */
export const feastError = (name: string, message: string): string =>
  JSON.stringify(JSON.stringify({ module: 'feast.errors', class: name, message }));

/** A body in words. */
export const detail = (message: string, code: string): string => JSON.stringify({ detail: message, code });
