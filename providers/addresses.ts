import type { PostgresAddress } from '../definitions/postgres.js';
import type { RedisAddress } from '../definitions/provider.js';
import type { Secret } from '../definitions/secret.js';
import { resolveSecret } from './secrets.js';

/**
 * The URL of a Postgres database, its secrets read at this moment. `what` is for messages: `the database "warehouse"`.
 * @throws GranaryError `ConfigurationMissing`.
 */
export function postgresUrl(what: string, address: PostgresAddress): string {
  if ('url' in address) return resolveSecret(`The address of ${what}`, address.url);
  const { host, port = 5432, user, password, database, sslmode, sslrootcert } = address;
  const options = new URLSearchParams({
    // Without it the driver takes "require" for "verify-full".
    ...(sslmode === undefined ? {} : { sslmode, uselibpqcompat: 'true' }),
    ...(sslrootcert === undefined ? {} : { sslrootcert }),
  }).toString();
  const at = authority(what, { host, port, user, password });
  const name = encodeURIComponent(resolveSecret(`The database of ${what}`, database));
  return `postgres://${at}/${name}${options === '' ? '' : `?${options}`}`;
}

/**
 * The URL of a Redis server, its secrets read at this moment.
 * @throws GranaryError `ConfigurationMissing`.
 */
export function redisUrl(what: string, address: RedisAddress): string {
  if ('url' in address) return resolveSecret(`The address of ${what}`, address.url);
  const { host, port = 6379, db = 0, user, password, tls = false } = address;
  return `${tls ? 'rediss' : 'redis'}://${authority(what, { host, port, user, password })}/${db}`;
}

/** `user:password@host:port`; what a URL reserves is escaped. */
function authority(
  what: string,
  part: {
    readonly host: string | Secret;
    readonly port: number;
    readonly user: string | Secret | undefined;
    readonly password: Secret | undefined;
  },
): string {
  const host = resolveSecret(`The host of ${what}`, part.host);
  const user = part.user === undefined ? '' : resolveSecret(`The user of ${what}`, part.user);
  const password =
    part.password === undefined
      ? ''
      : `:${encodeURIComponent(resolveSecret(`The password of ${what}`, part.password))}`;
  const login = user === '' && password === '' ? '' : `${encodeURIComponent(user)}${password}@`;
  return `${login}${host.includes(':') ? `[${host}]` : host}:${part.port}`;
}
