import { messageOf, type GranaryError } from '../definitions/errors.js';
import { sqlState } from '../definitions/postgres-errors.js';

/** Why a Postgres server was not to be worked with, in words that say what to do; undefined for what its message says already. */
export function postgresCause(error: GranaryError | undefined): string | undefined {
  const { cause } = error ?? {};
  const state = sqlState(cause);
  const said = messageOf(cause);
  const server = /^(postgres at \S+)/.exec(error?.message ?? '')?.[1]?.replace(/:$/, '') ?? 'the server';
  if (state === '28P01') return `${server}: wrong password (${said}). Correct the user or the password.`;
  if (state === '28000' && /pg_hba\.conf/.test(said))
    return `${server}: rejected by pg_hba.conf: it does not let this user into this database from this address${/no encryption|SSL off/i.test(said) ? ' without TLS; set sslmode to require, or' : /SSL encryption|SSL on/i.test(said) ? ' with TLS; set sslmode to disable, or' : ';'} have a line added there (${said}).`;
  if (state === '28000') return `${server}: it does not know the user (${said}). Correct the user.`;
  if (state === '3D000')
    return `${server}: the database is absent (${said}). Create it, or correct its name.`;
  if (/does not support SSL/i.test(said))
    return `${server}: rejected for the TLS mode: it has no TLS. Set sslmode to disable.`;
  if (/self.signed|certificate|unable to verify|altnames/i.test(said))
    return `${server}: its TLS certificate is not trusted (${said}). Give the worker its authority (NODE_EXTRA_CA_CERTS), or set sslmode to no-verify.`;
  if (state === '42501')
    return `${server}: a permission is missing (${said}). Grant it: CREATE on the database, or USAGE and CREATE on the schema.`;
  return undefined;
}
