import { checkName } from './names.js';
import type { S3Binding } from './s3.js';
import { refuseLiteralPassword, type Secret } from './secret.js';
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

export type Provider = FileStore | OnlineStore;

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

/** What an environment binds a provider's name to. */
export type Binding =
  | { readonly type: 'localFiles'; readonly root: string }
  | S3Binding
  | { readonly type: 'redis'; readonly url: string | Secret }
  | { readonly type: 'postgresOnline'; readonly url: string | Secret };

/** A folder on this machine. A relative path counts from the worker's working directory. */
export const localFiles = (root: string): Binding => ({ type: 'localFiles', root });

/** A Redis or Valkey server (`redis://host:6379/0`, `rediss://` for TLS) as the online store, in Feast's layout. */
export function redisStore({ url }: { readonly url: string | Secret }): Binding {
  refuseLiteralPassword('redisStore', url);
  return { type: 'redis', url };
}

/** A Postgres database as the online store. */
export function postgresStore({ url }: { readonly url: string | Secret }): Binding {
  refuseLiteralPassword('postgresStore', url);
  return { type: 'postgresOnline', url };
}
