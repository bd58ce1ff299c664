import { DuckDBAppender, DuckDBConnection, DuckDBInstance, DuckDBResult } from '@duckdb/node-api';
import { Redis } from 'ioredis';
import pg from 'pg';
import { Slots } from '../../activities/slots.js';
import { localFileProvider } from '../../providers/files/local.js';
import type { Recorder } from './recorder.js';

/**
 * Watches what activities wait for, at the edge of our code: the packages that speak to DuckDB, Postgres and Redis, and the store of files (its
 * hashing and its fsync included, and whatever of ours runs inside). No code of the product knows of it. `folder` is any folder.
 */
export function watchSystems(recorder: Recorder, folder: string): void {
  recorder.watch('engine', DuckDBInstance, ['create']);
  recorder.watch('engine', DuckDBInstance.prototype, ['connect', 'closeSync']);
  recorder.watch('engine', DuckDBConnection.prototype, [
    'run',
    'runAndReadAll',
    'stream',
    'extractStatements',
    'createAppender',
  ]);
  recorder.watch('engine', DuckDBResult.prototype, ['fetchChunk']);
  recorder.watch('engine', DuckDBAppender.prototype, ['appendDataChunk', 'closeSync']);
  // The wait for a connection of the pool counts as well.
  recorder.watch('registry', pg.Pool.prototype, ['connect']);
  recorder.watch('registry', pg.Client.prototype, ['query']);
  recorder.watch('online', Redis.prototype, ['sendCommand']);
  recorder.watch('files', Object.getPrototypeOf(localFileProvider({ root: folder })) as object, [
    'list',
    'stat',
    'checksum',
    'localPath',
    'readText',
    'stage',
    'publish',
    'pointLatest',
    'removeStaging',
  ]);
  recorder.watch('slot', Slots.prototype, ['take']);
}
