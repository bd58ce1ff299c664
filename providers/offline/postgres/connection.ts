import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { ColumnBatch } from '../../columns.js';
import type { BinaryDecoder } from './binary-decoder.js';
import { CopyOut } from './copy-out.js';
import { noteStatement } from '../statement-log.js';
import { offlineError } from './errors.js';

const CONNECT_TIMEOUT_MS = 10_000;
/** How often a cancellation is repeated: one that arrives before the statement has begun is forgotten. */
const CANCEL_MS = 100;
/** A server that does not answer a cancellation is not waited for. */
const GIVE_UP_MS = 3000;

/** Where a database is. */
export interface Server {
  readonly url: string;
  /** What messages call it. */
  readonly name: string;
}

/** A connection whose statements are cancelled when a signal aborts, and whose errors are ours. */
export class Connection {
  readonly #client: pg.Client;
  readonly #server: Server;
  readonly signal: AbortSignal;
  /** What it works on, for messages. */
  subject: string;
  #process = 0;

  private constructor(client: pg.Client, server: Server, signal: AbortSignal, subject: string) {
    this.#client = client;
    this.#server = server;
    this.signal = signal;
    this.subject = subject;
  }

  static async open(server: Server, signal: AbortSignal, subject: string): Promise<Connection> {
    signal.throwIfAborted();
    const client = new pg.Client({
      connectionString: server.url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'granary',
    });
    // A connection that breaks fails its statement; without a listener the process would end.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const connection = new Connection(client, server, signal, subject);
      const [process] = await connection.row('SELECT pg_backend_pid()');
      connection.#process = Number(process);
      return connection;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw offlineError(error, subject, server.name);
    }
  }

  /** Runs one or more statements. */
  async run(sql: string): Promise<void> {
    await this.guard(() => this.#client.query(sql), sql);
  }

  /** Runs one statement; its rows as arrays of what Postgres prints, but for numbers of 32 bits and truth values. */
  async rows(sql: string, values: readonly unknown[] = []): Promise<unknown[][]> {
    return (await this.query(sql, values)).rows;
  }

  /** The only row of a query. */
  async row(sql: string, values: readonly unknown[] = []): Promise<readonly unknown[]> {
    return (await this.rows(sql, values))[0] ?? [];
  }

  /** Runs exactly one statement, and says which columns it has. */
  query(sql: string, values: readonly unknown[] = []): Promise<pg.QueryArrayResult<unknown[]>> {
    const config: pg.QueryArrayConfig<unknown[]> & { readonly queryMode: 'extended' } = {
      text: sql,
      values: [...values],
      rowMode: 'array',
      // The simple protocol would run several.
      queryMode: 'extended',
    };
    return this.guard(() => this.#client.query<unknown[]>(config), sql);
  }

  /** Streams the rows of a SELECT by binary COPY. The connection is of no further use when the loop ends early. */
  async *copy(select: string, decoder: BinaryDecoder): AsyncGenerator<ColumnBatch> {
    this.signal.throwIfAborted();
    const statement = `COPY (${select}) TO STDOUT (FORMAT binary)`;
    const copy = new CopyOut(statement, decoder);
    const ended = noteStatement(this.subject, statement);
    const stop = this.#cancelOnAbort();
    try {
      this.#client.query(copy);
      yield* copy.batches();
      ended();
      this.signal.throwIfAborted();
    } catch (error) {
      ended(error);
      this.signal.throwIfAborted();
      throw offlineError(error, this.subject, this.#server.name);
    } finally {
      stop();
    }
  }

  /** Runs `work` in a transaction that sees one snapshot. */
  async inSnapshot<T>(work: () => Promise<T>, timeoutMs = 0): Promise<T> {
    await this.run('BEGIN ISOLATION LEVEL REPEATABLE READ');
    try {
      // Within the transaction: a pooler in between keeps no settings of a connection.
      await this.run(
        `SET LOCAL TimeZone = 'UTC'; SET LOCAL jit = off; SET LOCAL synchronize_seqscans = off; SET LOCAL statement_timeout = ${Math.trunc(timeoutMs)}`,
      );
      const result = await work();
      await this.run('COMMIT');
      return result;
    } catch (error) {
      await this.#client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** Awaits a statement. On abort it is cancelled, its end awaited, then the call rejects with the signal's reason. */
  async guard<T>(work: () => Promise<T>, sql?: string): Promise<T> {
    this.signal.throwIfAborted();
    const ended = sql === undefined ? undefined : noteStatement(this.subject, sql);
    const stop = this.#cancelOnAbort();
    try {
      const result = await work();
      ended?.();
      this.signal.throwIfAborted();
      return result;
    } catch (error) {
      ended?.(error);
      this.signal.throwIfAborted();
      throw offlineError(error, this.subject, this.#server.name);
    } finally {
      stop();
    }
  }

  #cancelOnAbort(): () => void {
    let ended = false;
    const cancel = async (): Promise<void> => {
      const giveUp = setTimeout(() => this.destroy(), GIVE_UP_MS);
      const other = new pg.Client({
        connectionString: this.#server.url,
        connectionTimeoutMillis: GIVE_UP_MS,
      });
      other.on('error', () => undefined);
      try {
        await other.connect();
        while (!ended) {
          await other.query('SELECT pg_cancel_backend($1)', [this.#process]);
          await sleep(CANCEL_MS);
        }
      } catch {
        // The server is gone, and the statement with it.
        this.destroy();
      } finally {
        clearTimeout(giveUp);
        await other.end().catch(() => undefined);
      }
    };
    const listener = (): void => void cancel();
    this.signal.addEventListener('abort', listener, { once: true });
    return () => {
      ended = true;
      this.signal.removeEventListener('abort', listener);
    };
  }

  /** Ends the connection at once; what runs on it fails, and the server rolls it back. */
  destroy(): void {
    this.#client.connection.stream.destroy();
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}
