import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { GranaryError } from '../../../definitions/errors.js';
import type { SessionOptions } from '../provider.js';
import { Connection } from './connection.js';

/** What DuckDB asks for, a thread: with less, queries fail that one thread would spill and finish. */
const BYTES_PER_THREAD = 125e6;
const UNITS: Readonly<Record<string, number>> = {
  ...{ KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 },
};

/** As many threads as are wanted and the memory limit can feed. */
function affordableThreads({ threads, memoryLimit }: SessionOptions): number {
  const [, amount, unit = ''] = /^([\d.]+)\s*(\w+)$/.exec(memoryLimit) ?? [];
  const bytes = Number(amount) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  return Number.isNaN(bytes) ? threads : Math.max(1, Math.min(threads, Math.floor(bytes / BYTES_PER_THREAD)));
}

/** One DuckDB instance in memory with a budget, a folder to spill into and a signal that stops it. */
export class Engine {
  readonly #instance: DuckDBInstance;
  readonly #options: SessionOptions;
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;
  readonly #connections = new Set<Connection>();
  #last: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  private constructor(instance: DuckDBInstance, options: SessionOptions) {
    this.#instance = instance;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal]);
  }

  /** Starts the engine. It never loads or downloads extensions; files are read by path. */
  static async open(wanted: SessionOptions): Promise<Engine> {
    wanted.signal.throwIfAborted();
    const options = { ...wanted, threads: affordableThreads(wanted) };
    await mkdir(options.scratch, { recursive: true });
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: options.memoryLimit,
      temp_directory: options.scratch,
      threads: String(options.threads),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      preserve_insertion_order: 'true',
    });
    const connection = await instance.connect();
    await connection.run("SET GLOBAL TimeZone = 'UTC'");
    // It turns `row_number() ... = 1` into arg_max, which takes a wrong row where the order has NULLs (DuckDB issues
    // 23676 and 23677); ours and users' queries would both choose wrong rows.
    await connection.run("SET GLOBAL disabled_optimizers = 'top_n_window_elimination'");
    // One way of joining in time, however few rows there are: below 64 DuckDB takes another, which treats a NULL time otherwise.
    await connection.run('SET GLOBAL asof_loop_join_threshold = 0');
    connection.closeSync();
    return new Engine(instance, options);
  }

  /** Opens a connection of its own; close it. */
  async connect(subject: string): Promise<Connection> {
    this.#signal.throwIfAborted();
    const connection = new Connection(await this.#instance.connect(), this.#signal, subject);
    this.#connections.add(connection);
    return connection;
  }

  /** Closes a connection before the engine's end. */
  release(connection: Connection): void {
    this.#connections.delete(connection);
    connection.close();
  }

  /** Runs `work` on a fresh connection. */
  async with<T>(subject: string, work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.connect(subject);
    try {
      return await work(connection);
    } finally {
      this.release(connection);
    }
  }

  /**
   * Runs `work` alone: the number of threads is a setting of the whole instance, and two heavy queries would share
   * one memory limit.
   */
  async alone<T>(work: (threads: (count?: number) => Promise<void>) => Promise<T>): Promise<T> {
    const turn = this.#last.then(
      () => work((count = this.#options.threads) => this.#setThreads(count)),
      () => work((count = this.#options.threads) => this.#setThreads(count)),
    );
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #setThreads(count: number): Promise<void> {
    await this.with('setting threads', (c) =>
      c.run(`SET GLOBAL threads = ${Math.max(1, Math.trunc(count))}`),
    );
  }

  /** Stops what runs, ends the engine and empties the scratch folder. Safe to call twice. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    this.#closing.abort(new GranaryError('InvalidInput', 'The offline session is closed.'));
    await this.#last;
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    this.#instance.closeSync();
    for (const entry of await readdir(this.#options.scratch).catch(() => []))
      await rm(join(this.#options.scratch, entry), { recursive: true, force: true });
  }
}
