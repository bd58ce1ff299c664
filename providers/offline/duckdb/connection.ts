import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import { noteStatement } from '../statement-log.js';
import { fromEngine } from './engine-errors.js';

/** How often an interrupt is repeated: one that arrives before the engine has begun a statement is forgotten. */
const INTERRUPT_MS = 20;

/** A connection whose statements stop when the session's signal aborts, and whose errors are ours. */
export class Connection {
  readonly raw: DuckDBConnection;
  readonly signal: AbortSignal;
  /** What this connection works on, for messages. */
  readonly subject: string;
  #closed = false;

  constructor(raw: DuckDBConnection, signal: AbortSignal, subject: string) {
    this.raw = raw;
    this.signal = signal;
    this.subject = subject;
  }

  /** Runs a statement and resolves to the rows that it changed. */
  async run(sql: string): Promise<number> {
    return this.guard(async () => (await this.raw.run(sql)).rowsChanged, sql);
  }

  /** Runs a query of few rows. */
  async rows(sql: string): Promise<readonly (readonly unknown[])[]> {
    return this.guard(async () => (await this.raw.runAndReadAll(sql)).getRows(), sql);
  }

  /** The only row of a query. */
  async row(sql: string): Promise<readonly unknown[]> {
    return (await this.rows(sql))[0] ?? [];
  }

  /** Starts a query whose chunks are fetched one by one. */
  async stream(sql: string): Promise<DuckDBResult> {
    return this.guard(() => this.raw.stream(sql), sql);
  }

  /**
   * Awaits work of the engine. On abort it interrupts, waits for the engine's end, then rejects with the signal's
   * reason. A statement that is named is noted for whoever looks at the step.
   */
  async guard<T>(work: () => Promise<T>, sql?: string, prepared = false): Promise<T> {
    this.signal.throwIfAborted();
    const ended = sql === undefined ? undefined : noteStatement(this.subject, sql, prepared);
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      this.raw.interrupt();
      timer = setInterval(() => this.raw.interrupt(), INTERRUPT_MS);
    };
    this.signal.addEventListener('abort', stop, { once: true });
    try {
      const result = await work();
      ended?.();
      this.signal.throwIfAborted();
      return result;
    } catch (error) {
      ended?.(error);
      this.signal.throwIfAborted();
      throw fromEngine(error, this.subject);
    } finally {
      clearInterval(timer);
      this.signal.removeEventListener('abort', stop);
    }
  }

  /** Ends the connection; its temporary tables and views go with it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.raw.closeSync();
  }
}
