import { setImmediate } from 'node:timers/promises';
import { DuckDBDataChunk, type DuckDBAppender, type DuckDBType, type DuckDBValue } from '@duckdb/node-api';
import type { DataType, RecordBatch, Table } from 'apache-arrow';
import { GranaryError } from '../../../definitions/errors.js';
import type { ValueType } from '../../../definitions/types.js';
import type { ColumnBatch } from '../../columns.js';
import type { Output, TableWriter, WrittenTable } from '../provider.js';
import { arrowReader, batchesOf, fitsArrow, isArrow } from './arrow-columns.js';
import { appenderType, cellOf, engineColumn, MISFIT, shown, type Cell } from './cell.js';
import { engineType } from './column-types.js';
import type { Connection } from './connection.js';
import type { Engine } from './engine.js';
import { fileReader, inspectFiles } from './inspect.js';
import { writeOrdered } from './ordered-output.js';
import { quoteIdentifier, literal } from './sql-text.js';
import { quoted } from '../shape.js';

const ROWS = '__rows';
/** The engine's own chunk size. */
const CHUNK = 2048;

interface Column {
  readonly name: string;
  readonly type: ValueType;
  readonly cell: Cell;
  /** What a NULL would break, if anything. */
  readonly required: 'key' | 'timestamp' | undefined;
}

/** Collects rows in a temporary table and in Parquet parts, then writes them in order. */
export class DuckdbTableWriter implements TableWriter {
  readonly #engine: Engine;
  readonly #c: Connection;
  readonly #output: Output;
  readonly #columns: readonly Column[];
  readonly #types: readonly DuckDBType[];
  readonly #parts: string[] = [];
  #appender: DuckDBAppender | undefined;
  #pending: DuckDBValue[][];
  #buffered = 0;
  #unflushed = 0;
  #row = 0;

  private constructor(engine: Engine, connection: Connection, output: Output) {
    this.#engine = engine;
    this.#c = connection;
    this.#output = output;
    this.#columns = Object.entries(output.schema).map(([name, type]) => ({
      name,
      type,
      cell: cellOf(type),
      required: output.keys.includes(name) ? 'key' : name === output.timestampField ? 'timestamp' : undefined,
    }));
    this.#types = this.#columns.map(({ type }) => appenderType(type));
    this.#pending = this.#columns.map(() => []);
  }

  static async open(engine: Engine, output: Output): Promise<DuckdbTableWriter> {
    const { name, schema, timestampField } = output;
    if (timestampField !== undefined && schema[timestampField] !== 'timestamp')
      throw new GranaryError(
        'MissingTimestamp',
        `${name} has no ${timestampField}: its schema must declare the event timestamp as t.timestamp. It has ${quoted(Object.keys(schema))}.`,
      );
    const writer = new DuckdbTableWriter(engine, await engine.connect(`Writing ${name}`), output);
    await writer.#newTable();
    return writer;
  }

  async #newTable(): Promise<void> {
    const columns = this.#columns.map(({ name, type }) => `${quoteIdentifier(name)} ${engineType(type)}`);
    await this.#c.run(`CREATE OR REPLACE TEMP TABLE ${ROWS} (${columns.join(', ')})`);
    this.#appender = await this.#c.raw.createAppender(ROWS, 'main', 'temp');
    this.#unflushed = 0;
  }

  async append(rows: Iterable<Readonly<Record<string, unknown>>> | RecordBatch | Table): Promise<void> {
    if (isArrow(rows)) {
      for (const batch of batchesOf(rows)) await this.#appendBatch(batch);
      return;
    }
    for (const row of rows) {
      this.#checkNames(row);
      for (const [i, column] of this.#columns.entries()) this.#push(i, column, row[column.name]);
      await this.#rowDone();
    }
  }

  async #appendBatch(batch: RecordBatch): Promise<void> {
    const names = batch.schema.fields.map(({ name }) => name);
    this.#checkNames(Object.fromEntries(names.map((name) => [name, null])));
    const readers = this.#columns.map(({ name, type }) => {
      const vector = batch.getChildAt(names.indexOf(name));
      if (vector === null || !fitsArrow(vector.type as DataType, type))
        throw new GranaryError(
          'SchemaMismatch',
          `${this.#output.name}: column "${name}" is declared ${type} but the Arrow batch has ${String(vector?.type)}. Convert it, or correct the schema.`,
        );
      return arrowReader(vector);
    });
    for (let index = 0; index < batch.numRows; index++) {
      for (const [i, column] of this.#columns.entries()) this.#push(i, column, readers[i]?.(index));
      await this.#rowDone();
    }
  }

  #checkNames(row: Readonly<Record<string, unknown>>): void {
    const unknown = Object.keys(row).filter((name) => this.#output.schema[name] === undefined);
    const missing = this.#columns.filter(({ name }) => row[name] === undefined).map(({ name }) => name);
    if (unknown.length === 0 && missing.length === 0) return;
    const problems = [
      ...(missing.length > 0 ? [`has no ${quoted(missing)} (write null for NULL)`] : []),
      ...(unknown.length > 0 ? [`has ${quoted(unknown)}, which is not declared`] : []),
    ];
    const code = missing.some((name) => name === this.#output.timestampField)
      ? 'MissingTimestamp'
      : 'SchemaMismatch';
    throw new GranaryError(
      code,
      `${this.#output.name}: row ${this.#row + 1} ${problems.join(' and ')}. The schema has ${quoted(Object.keys(this.#output.schema))}.`,
    );
  }

  #push(index: number, { name, type, cell, required }: Column, value: unknown): void {
    const place = `${this.#output.name}: row ${this.#row + 1}, column "${name}"`;
    if (value === null) {
      if (required === 'key')
        throw new GranaryError(
          'NullKey',
          `${place} is NULL but is a key. Leave the row out, or fill the key.`,
        );
      if (required === 'timestamp')
        throw new GranaryError(
          'MissingTimestamp',
          `${place} is NULL but is the event timestamp. Every row needs the instant it is known at.`,
        );
      this.#pending[index]?.push(null);
      return;
    }
    const converted = cell(value);
    if (converted === MISFIT)
      throw new GranaryError('ValueOutOfRange', `${place}: ${type} expected, got ${shown(value)}.`, {
        details: { row: this.#row + 1, column: name, type },
      });
    this.#pending[index]?.push(converted);
  }

  async #rowDone(): Promise<void> {
    this.#row++;
    this.#buffered++;
    if (this.#buffered < CHUNK) return;
    this.#appendChunk();
    // Lets heartbeats and cancellation through between chunks.
    await setImmediate();
    this.#c.signal.throwIfAborted();
  }

  #appendChunk(): void {
    if (this.#buffered === 0) return;
    const chunk = DuckDBDataChunk.create(this.#types, this.#buffered);
    chunk.setColumns(this.#pending);
    this.#appender?.appendDataChunk(chunk);
    this.#unflushed += this.#buffered;
    this.#buffered = 0;
    this.#pending = this.#columns.map(() => []);
  }

  async #settle(): Promise<void> {
    this.#appendChunk();
    await this.#c.guard(async () => Promise.resolve(this.#appender?.closeSync()));
    this.#appender = undefined;
  }

  async appendColumns({ rows, columns }: ColumnBatch): Promise<void> {
    this.#appendChunk();
    for (const [i, column] of this.#columns.entries())
      if (column.required !== undefined && columns[i]?.includes(null) === true) this.#push(i, column, null);
    for (let from = 0; from < rows; from += CHUNK) {
      const count = Math.min(CHUNK, rows - from);
      const chunk = DuckDBDataChunk.create(this.#types, count);
      chunk.setColumns(
        this.#columns.map(({ type }, i) => engineColumn(columns[i]?.slice(from, from + count) ?? [], type)),
      );
      this.#appender?.appendDataChunk(chunk);
      this.#unflushed += count;
      this.#row += count;
      // Lets heartbeats and cancellation through between chunks.
      await setImmediate();
      this.#c.signal.throwIfAborted();
    }
  }

  async appendParquet(path: string): Promise<void> {
    const file = { path, uri: path, generation: 0 };
    await inspectFiles(this.#c, {
      name: this.#output.name,
      format: 'parquet',
      files: [file],
      schema: this.#output.schema,
    });
    this.#parts.push(path);
  }

  flush(parquet: string): Promise<number> {
    return this.#engine.alone(async (threads) => {
      await threads();
      await this.#settle();
      const rows = this.#unflushed;
      await this.#c.run(`COPY ${ROWS} TO ${literal(parquet)} (FORMAT parquet, COMPRESSION zstd)`);
      this.#parts.push(parquet);
      await this.#newTable();
      return rows;
    });
  }

  finish(): Promise<WrittenTable> {
    return this.#engine.alone(async (threads) => {
      try {
        await threads();
        await this.#settle();
        const columns = Object.keys(this.#output.schema).map(quoteIdentifier).join(', ');
        const parts =
          this.#parts.length === 0
            ? ''
            : ` UNION ALL SELECT ${columns} FROM ${fileReader('parquet', this.#parts)}`;
        return await writeOrdered(this.#c, this.#output, {
          from: `(SELECT ${columns} FROM ${ROWS}${parts})`,
          values: {},
          orderBy: this.#output.keys.map(quoteIdentifier),
        });
      } finally {
        this.#engine.release(this.#c);
      }
    });
  }
}
