import { transformation, type TransformationOptions } from './built-source.js';
import { GranaryError } from './errors.js';
import { checkName } from './names.js';
import { refuseLiteralPassword, refuseText, type Secret } from './secret.js';
import { tableSource, type Source, type TableSourceOptions } from './source.js';
import type { Schema } from './types.js';

/** A named database whose tables are sources, and in which SQL runs. An environment binds the name to a Postgres. */
export interface PostgresProvider {
  readonly kind: 'provider';
  readonly type: 'postgres';
  readonly name: string;
  /** Declares a table or a view of this database as a source. */
  table<const S extends Schema>(name: string, options: TableSourceOptions<S>): Source<S>;
  /**
   * Declares SQL in Postgres's dialect over sources of this database. It runs there, and its rows stay there: in the schema
   * `granary_<project>_<environment>_offline`, in a table of its name.
   */
  sql<const S extends Schema>(name: string, options: TransformationOptions<S>): Source<S>;
}

/** A Postgres database by name. */
export function postgresProvider(name: string): PostgresProvider {
  checkName('database', name);
  const database: PostgresProvider = {
    kind: 'provider',
    type: 'postgres',
    name,
    table: (source, options) => tableSource(source, database, options),
    sql: (source, options) => transformation(source, database, options),
  };
  return Object.freeze(database);
}

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** Where a Postgres database is: a URL (`postgres://user@host:5432/database?sslmode=require`), or its parts. */
export type PostgresAddress =
  | { readonly url: string | Secret }
  | {
      readonly host: string | Secret;
      /** Default 5432. */
      readonly port?: number;
      readonly user: string | Secret;
      readonly password?: Secret;
      readonly database: string | Secret;
      /** As libpq means it; default: no TLS. */
      readonly sslmode?: SslMode;
      /** File of the certificates that the server's is checked with. */
      readonly sslrootcert?: string;
    };

/** @throws GranaryError `InvalidDefinition`: a password in the definition, a part that is missing or of the wrong kind. */
export function checkPostgresAddress(what: string, address: PostgresAddress): PostgresAddress {
  if ('url' in address) {
    const others = Object.keys(address).filter((key) => key !== 'url');
    if (others.length > 0)
      throw new GranaryError(
        'InvalidDefinition',
        `${what}: give a url or ${others.join(', ')}, not both: the URL holds them all.`,
      );
    refuseLiteralPassword(what, address.url);
    return { url: address.url };
  }
  const { host, port, user, password, database, sslmode, sslrootcert } = address;
  for (const [key, value] of Object.entries({ host, user, database }))
    if (value === undefined || value === '')
      throw new GranaryError(
        'InvalidDefinition',
        `${what}: ${key} is missing. Give host, user and database, or a url.`,
      );
  refuseText(what, 'password', password);
  checkPort(what, port);
  if (sslmode !== undefined && !SSL_MODES.includes(sslmode))
    throw new GranaryError(
      'InvalidDefinition',
      `${what}: sslmode "${String(sslmode)}" is not known. Write one of ${SSL_MODES.join(', ')}.`,
    );
  if (sslmode === 'verify-ca' && sslrootcert === undefined)
    throw new GranaryError(
      'InvalidDefinition',
      `${what}: sslmode "verify-ca" needs sslrootcert, the file of the certificates to check with.`,
    );
  return {
    host,
    user,
    database,
    ...(port === undefined ? {} : { port }),
    ...(password === undefined ? {} : { password }),
    ...(sslmode === undefined ? {} : { sslmode }),
    ...(sslrootcert === undefined ? {} : { sslrootcert }),
  };
}

/** @throws GranaryError `InvalidDefinition`. */
export function checkPort(what: string, port: number | undefined): void {
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw new GranaryError(
      'InvalidDefinition',
      `${what}: the port must be a number from 1 to 65535, not ${port}.`,
    );
}
