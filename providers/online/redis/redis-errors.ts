import { type ErrorCode, GranaryError, messageOf } from '../../../definitions/errors.js';

/** What the first word of a Redis error means, and what to do. */
const REPLIES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  OOM: ['ResourcesExhausted', 'it is at its memory limit (maxmemory). Raise it, or free memory'],
  MISCONF: ['ResourcesExhausted', 'it cannot save to its disk and refuses writes'],
  NOAUTH: ['ConfigurationMissing', 'it asks for a password. Put one into the URL'],
  WRONGPASS: ['ConfigurationMissing', 'it refuses the user name or the password'],
  NOPERM: ['ConfigurationMissing', 'the user may not run a command that is needed'],
  READONLY: ['ProviderUnreachable', 'it is a read-only replica. Give the address of the primary'],
  LOADING: ['ProviderUnreachable', 'it is loading its data'],
  BUSY: ['ProviderUnreachable', 'it is busy with a script'],
  MASTERDOWN: ['ProviderUnreachable', 'its primary is away'],
  CLUSTERDOWN: ['ProviderUnreachable', 'its cluster is down'],
  TRYAGAIN: ['ProviderUnreachable', 'its cluster is moving keys'],
  WRONGTYPE: ['SchemaMismatch', 'a key holds something else than a hash'],
};

/**
 * A Redis error as a GranaryError that names the server. `lastConnectionError` is what the connection said since it was
 * last ready, which says more than the client's "max retries" or "timed out".
 */
export function redisError(error: unknown, server: string, lastConnectionError?: Error): GranaryError {
  if (error instanceof GranaryError) return error;
  const message = messageOf(error);
  // ioredis hangs the failed command on its errors, and that of AUTH holds the password.
  const cause = new Error(message);
  const word = replyWord(error);
  const distrust = [lastConnectionError, error].find(isDistrust);
  if (word === undefined && distrust)
    return new GranaryError(
      'ConfigurationMissing',
      `${server}: its certificate is not trusted (${distrust.message}). Give the authority that issued it: redisStore({ ..., ca: fromFile('/run/secrets/redis-ca.pem') }), or NODE_EXTRA_CA_CERTS for the whole process; the address must be one that the certificate names.`,
      { cause },
    );
  if (word === undefined) {
    const reason = lastConnectionError ? describe(lastConnectionError) : message.replace(/\.$/, '');
    return new GranaryError('ProviderUnreachable', `${server} does not answer: ${reason}.`, { cause });
  }
  const [code, meaning] = REPLIES[word] ??
    (/invalid.*password|no password is set/i.test(message) ? REPLIES['WRONGPASS'] : undefined) ?? [
      'QueryFailed',
      'it refused a command',
    ];
  return new GranaryError(code, `${server}: ${meaning} (${message}).`, { cause });
}

/** Whether the server refuses the user or the password. */
export function isRefused(error: unknown): boolean {
  const word = replyWord(error);
  return (
    word === 'NOAUTH' ||
    word === 'WRONGPASS' ||
    (word === 'ERR' && /invalid password/i.test(messageOf(error)))
  );
}

/** The first word of a reply that is an error (`WRONGTYPE`, `ERR`); `undefined` for an error of the connection. */
export function replyWord(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  // Before Redis 7 an error inside a script was wrapped: "ERR Error running script (...): @user_script:1: OOM command...".
  const known = /(?:^|[:\s-])(OOM|WRONGTYPE|READONLY|MISCONF|NOSCRIPT) /.exec(error.message)?.[1];
  return known ?? error.message.split(' ', 1)[0];
}

/** Whether TLS refused the server's certificate. */
const isDistrust = (error: unknown): error is Error =>
  error instanceof Error &&
  /CERT|^UNABLE_TO_|ALTNAME/.test(String((error as NodeJS.ErrnoException).code ?? ''));

function describe(error: Error): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(messageOf).join(', ');
  return messageOf(error);
}
