import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { listItem, type Schema, type ValueType } from '../../definitions/types.js';
import type {
  FileRelation,
  OfflineProvider,
  OfflineSession,
  SessionOptions,
} from '../../providers/offline/provider.js';

const SQL_TYPES: Readonly<Record<string, string>> = {
  bool: 'BOOLEAN',
  int32: 'INTEGER',
  int64: 'BIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
  string: 'VARCHAR',
  bytes: 'BLOB',
  timestamp: 'TIMESTAMPTZ',
};

/** A folder of files that a test writes and reads with an engine of its own, beside the provider under test. */
export class OfflineFixtures {
  readonly folder = mkdtempSync(join(tmpdir(), 'granary-offline-'));
  #connection: DuckDBConnection | undefined;
  #files = 0;

  async #sql(): Promise<DuckDBConnection> {
    if (this.#connection === undefined) {
      this.#connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
      await this.#connection.run("SET TimeZone = 'UTC'");
    }
    return this.#connection;
  }

  /** A path in the folder that no other call has given. */
  path(extension = 'parquet'): string {
    return join(this.folder, `file-${this.#files++}.${extension}`);
  }

  /** Writes a SELECT as a file and gives its path. */
  async file(select: string, options = 'FORMAT parquet'): Promise<string> {
    const path = this.path(options.includes('csv') ? 'csv' : 'parquet');
    await (await this.#sql()).run(`COPY (${select}) TO '${path}' (${options})`);
    return path;
  }

  /** Writes rows of JavaScript values as Parquet and gives its path. */
  async rows(schema: Schema, rows: readonly Readonly<Record<string, unknown>>[]): Promise<string> {
    const names = Object.keys(schema);
    const columns = names.map(
      (name) => `CAST(${sqlName(name)} AS ${sqlType(schema[name] ?? 'string')}) AS ${sqlName(name)}`,
    );
    const values = rows.map((row) => `(${names.map((name) => sqlValue(row[name])).join(', ')})`);
    const from =
      rows.length === 0
        ? `(SELECT ${names.map((name) => `NULL AS ${sqlName(name)}`).join(', ')} WHERE false)`
        : `(VALUES ${values.join(', ')}) t(${names.map(sqlName).join(', ')})`;
    return this.file(`SELECT ${columns.join(', ')} FROM ${from}`);
  }

  /** The rows of a query, each value as the engine prints it. */
  async query(sql: string): Promise<(string | null)[][]> {
    const result = await (
      await this.#sql()
    ).runAndReadAll(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${sql})`);
    return result.getRowsJson() as (string | null)[][];
  }

  /** The rows of a Parquet file in file order, each value as the engine prints it. */
  async read(path: string): Promise<(string | null)[][]> {
    return this.query(`SELECT * FROM read_parquet('${path}')`);
  }

  remove(): void {
    this.#connection?.closeSync();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const sqlName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export function sqlType(type: ValueType): string {
  const item = listItem(type);
  return item === undefined ? (SQL_TYPES[type] ?? type) : `${SQL_TYPES[item] ?? item}[]`;
}

function sqlValue(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (value instanceof Uint8Array)
    return `'${[...value].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}'::BLOB`;
  if (Array.isArray(value)) return `[${value.map(sqlValue).join(', ')}]`;
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === 'number') return Object.is(value, -0) ? `'-0.0'::DOUBLE` : `'${value}'::DOUBLE`;
  if (typeof value === 'bigint') return `${value}::HUGEINT`;
  if (typeof value === 'boolean') return String(value);
  throw new Error(`a fixture cannot hold a ${typeof value}`);
}

/** A relation over Parquet files; their addresses are `source://<file name>`. */
export function relation(
  schema: Schema,
  paths: string | readonly string[],
  more: Partial<FileRelation> = {},
): FileRelation {
  const files = (typeof paths === 'string' ? [paths] : paths).map((path) => ({
    path,
    uri: `source://${path.slice(path.lastIndexOf('/') + 1)}`,
    generation: 0,
  }));
  return { name: 'source flights', format: 'parquet', files, schema, ...more };
}

/** What a conformance suite works with: the provider, files, and a session that lives as long as the suite. */
export interface OfflineSuite {
  readonly fixtures: OfflineFixtures;
  /** The shared session. */
  session(): OfflineSession;
  /** A session of its own for a test of limits or cancellation. */
  open(options?: Partial<SessionOptions>): Promise<OfflineSession>;
}

let sessions = 0;

export function openSession(
  provider: OfflineProvider,
  fixtures: OfflineFixtures,
  options: Partial<SessionOptions> = {},
): Promise<OfflineSession> {
  return provider.open({
    scratch: join(fixtures.folder, `scratch-${sessions++}`),
    memoryLimit: '1GB',
    threads: 2,
    signal: new AbortController().signal,
    ...options,
  });
}

/** An error of a code whose message says all of these. */
export function failure(code: string, ...says: readonly (string | RegExp)[]): (error: unknown) => void {
  return (error) => {
    const { code: found, message } = error as { code?: string; message: string };
    if (found !== code)
      throw new Error(`expected ${code}, got ${String(found)}: ${message}`, { cause: error });
    for (const part of says)
      if (typeof part === 'string' ? !message.includes(part) : !part.test(message))
        throw new Error(`the message does not say ${String(part)}: ${message}`, { cause: error });
  };
}

/** Awaits a rejection and checks it. */
export async function rejects(work: Promise<unknown>, check: (error: unknown) => void): Promise<void> {
  const outcome = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('value' in outcome) throw new Error(`expected a rejection, got ${JSON.stringify(outcome.value)}`);
  check(outcome.error);
}
