import { GranaryError } from './errors.js';
import { checkName } from './names.js';
import { checkPort, checkPostgresAddress, type PostgresAddress, type PostgresProvider } from './postgres.js';
import type { S3Binding } from './s3.js';
import { refuseLiteralPassword, refuseText, type Secret } from './secret.js';
import { csvSource, parquetSource, type FileSourceOptions, type Source } from './source.js';
import { transformation, type TransformationOptions } from './built-source.js';
import type { Schema } from './types.js';

/** A named store of files. An environment binds the name to a folder or a bucket. */
export interface FileStore {
  readonly kind: 'provider';
  readonly type: 'files';
  readonly name: string;
  /** Declares Parquet files of this store as a source. */
  parquet<const S extends Schema>(name: string, options: FileSourceOptions<S>): Source<S>;
  /** Declares CSV files (with a header line) of this store as a source. */
  csv<const S extends Schema>(name: string, options: FileSourceOptions<S>): Source<S>;
  /** Declares SQL over other sources, run in DuckDB, its output stored here a version an interval. */
  sql<const S extends Schema>(name: string, options: TransformationOptions<S>): Source<S>;
}

/** A named online store. An environment binds the name to Redis or Postgres. */
export interface OnlineStore {
  readonly kind: 'provider';
  readonly type: 'online';
  readonly name: string;
}

export type Provider = FileStore | OnlineStore | PostgresProvider;

/** A store of files by name. */
export function fileStore(name: string): FileStore {
  checkName('file store', name);
  const store: FileStore = {
    kind: 'provider',
    type: 'files',
    name,
    parquet: (source, options) => parquetSource(source, store, options),
    csv: (source, options) => csvSource(source, store, options),
    sql: (source, options) => transformation(source, store, options),
  };
  return Object.freeze(store);
}

/** An online store by name. */
export function onlineStore(name: string): OnlineStore {
  checkName('online store', name);
  return Object.freeze({ kind: 'provider', type: 'online', name });
}

/** Where a Redis server is: a URL (`redis://host:6379/0`, `rediss://` for TLS), or its parts. */
export type RedisAddress = (
  | { readonly url: string | Secret }
  | {
      readonly host: string | Secret;
      /** Default 6379. */
      readonly port?: number;
      /** Number of the database; default 0. */
      readonly db?: number;
      readonly user?: string | Secret;
      readonly password?: Secret;
      /** Default false. */
      readonly tls?: boolean;
    }
) & {
  /**
   * With TLS: the certificates (PEM) of the authorities that the server's certificate may come from, in place of those that Node knows:
   * `fromFile('/run/secrets/redis-ca.pem')`. Read again for each new connection.
   */
  readonly ca?: Secret;
};

/** How rows lie in an online store. */
export interface OnlineLayout {
  /**
   * Feast's `entity_key_serialization_version`, in which the keys of entities are written: 3, the default, or 2 for readers that are
   * configured so. Rows in the other one are not found any more: a change loads every view anew.
   */
  readonly entityKeySerialization?: EntityKeyVersion;
}

export type EntityKeyVersion = 2 | 3;

/** What an environment binds a provider's name to. */
export type Binding =
  | { readonly type: 'localFiles'; readonly root: string }
  | S3Binding
  | ({ readonly type: 'redis' } & RedisAddress & OnlineLayout)
  | ({ readonly type: 'postgresOnline' } & PostgresAddress & OnlineLayout)
  | ({ readonly type: 'postgres' } & PostgresAddress);

/** A folder on this machine. A relative path counts from the worker's working directory. */
export const localFiles = (root: string): Binding => ({ type: 'localFiles', root });

/** A Redis or Valkey server as the online store, in Feast's layout. */
export function redisStore(options: RedisAddress & OnlineLayout): Binding {
  const { layout, address } = splitLayout('redisStore', options);
  return { type: 'redis', ...checkRedisAddress(address as RedisAddress), ...layout };
}

/** The layout apart from the address. @throws GranaryError `InvalidDefinition`. */
function splitLayout<A extends object>(
  what: string,
  { entityKeySerialization, ...address }: A & OnlineLayout,
): { readonly layout: OnlineLayout; readonly address: Omit<A, keyof OnlineLayout> } {
  if (entityKeySerialization === undefined) return { layout: {}, address };
  if (![2, 3].includes(entityKeySerialization))
    throw new GranaryError(
      'InvalidDefinition',
      `${what}: entityKeySerialization is Feast's entity_key_serialization_version, 2 or 3, not ${String(entityKeySerialization)}.`,
    );
  return { layout: { entityKeySerialization }, address };
}

function checkRedisAddress({ ca, ...address }: RedisAddress): RedisAddress {
  if (ca === undefined) return checkRedisPlace(address);
  if (typeof ca !== 'object' || !('env' in ca || 'file' in ca))
    throw new GranaryError(
      'InvalidDefinition',
      "redisStore: ca is where the certificates are read from. Write fromFile('/run/secrets/redis-ca.pem') or fromEnv('NAME').",
    );
  const place = checkRedisPlace(address);
  const isPlain =
    'url' in place ? typeof place.url === 'string' && !place.url.startsWith('rediss:') : !place.tls;
  if (isPlain)
    throw new GranaryError(
      'InvalidDefinition',
      'redisStore: ca is for TLS, and this connection has none. Write tls: true, or a URL that begins with rediss://.',
    );
  return { ...place, ca };
}

function checkRedisPlace(address: RedisAddress): RedisAddress {
  if ('url' in address) {
    const others = Object.keys(address).filter((key) => key !== 'url');
    if (others.length > 0)
      throw new GranaryError(
        'InvalidDefinition',
        `redisStore: give a url or ${others.join(', ')}, not both: the URL holds them all.`,
      );
    refuseLiteralPassword('redisStore', address.url);
    return { url: address.url };
  }
  const { host, port, db, user, password, tls } = address;
  if (host === undefined || host === '')
    throw new GranaryError('InvalidDefinition', 'redisStore: host is missing. Give a host or a url.');
  refuseText('redisStore', 'password', password);
  checkPort('redisStore', port);
  if (db !== undefined && !(Number.isInteger(db) && db >= 0))
    throw new GranaryError(
      'InvalidDefinition',
      `redisStore: db is the number of a database, from 0, not ${String(db)}.`,
    );
  return {
    host,
    ...(port === undefined ? {} : { port }),
    ...(db === undefined ? {} : { db }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** A Postgres database as the online store. */
export function postgresStore(options: PostgresAddress & OnlineLayout): Binding {
  const { layout, address } = splitLayout('postgresStore', options);
  return {
    type: 'postgresOnline',
    ...checkPostgresAddress('postgresStore', address as PostgresAddress),
    ...layout,
  };
}

/** The Postgres database behind a `postgresProvider`. */
export const postgresDatabase = (address: PostgresAddress): Binding => ({
  type: 'postgres',
  ...checkPostgresAddress('postgresDatabase', address),
});
