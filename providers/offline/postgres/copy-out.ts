import type { Connection as Wire, Submittable } from 'pg';
import type { ColumnBatch } from '../../columns.js';
import type { BinaryDecoder } from './binary-decoder.js';

/** Batches that wait for their reader before the socket is paused. */
const AHEAD = 8;

const HEADER = 5;
const COPY_DATA = 'd'.charCodeAt(0);
const COPY_DONE = 'c'.charCodeAt(0);
const COPY_OUT = 'H'.charCodeAt(0);
const READY = 'Z'.charCodeAt(0);

type Listener = (chunk: Buffer) => void;

/**
 * A `COPY ... TO STDOUT (FORMAT binary)` for `client.query`. It reads the socket itself: the driver makes an object and an event of
 * each row. Everything but the rows goes on to the driver.
 */
export class CopyOut implements Submittable {
  readonly #sql: string;
  readonly #decoder: BinaryDecoder;
  readonly #ready: ColumnBatch[] = [];
  #wire: Wire | undefined;
  #driver: Listener[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(sql: string, decoder: BinaryDecoder) {
    this.#sql = sql;
    this.#decoder = decoder;
  }

  submit(wire: Wire): void {
    this.#wire = wire;
    const { stream } = wire;
    this.#driver = stream.listeners('data') as Listener[];
    for (const listener of this.#driver) stream.off('data', listener);
    stream.on('data', this.#onData);
    wire.query(this.#sql);
  }

  readonly #onData = (chunk: Buffer): void => {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (data.length - at >= HEADER) {
      const length = data.readUInt32BE(at + 1) + 1;
      if (data.length - at < length) break;
      const type = data[at];
      if (type === COPY_DATA) this.#decode(data, at + HEADER, at + length);
      else if (type !== COPY_DONE && type !== COPY_OUT) {
        if (type === READY) this.#handBack();
        for (const listener of this.#driver) listener(data.subarray(at, at + length));
      }
      at += length;
    }
    this.#rest = data.subarray(at);
    if (this.#ready.length >= AHEAD) this.#wire?.stream.pause();
    if (this.#ready.length > 0) this.#wake();
  };

  #decode(data: Buffer, from: number, to: number): void {
    if (this.#error !== undefined) return;
    try {
      this.#decoder.push(data, from, to, this.#ready);
    } catch (error) {
      // The rest of the rows is of no use; the reader ends the connection.
      this.#error = error instanceof Error ? error : new Error(String(error));
      this.#end();
    }
  }

  #handBack(): void {
    const stream = this.#wire?.stream;
    stream?.off('data', this.#onData);
    for (const listener of this.#driver) stream?.on('data', listener);
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  handleError(error: Error): void {
    this.#error ??= error;
    this.#end();
  }

  handleCommandComplete(): void {
    this.#decoder.finish(this.#ready);
  }

  handleReadyForQuery(): void {
    this.#end();
  }

  /** The rows in batches; the socket is read on only as they are taken. */
  async *batches(): AsyncGenerator<ColumnBatch> {
    let done = false;
    try {
      for (;;) {
        const batch = this.#ready.shift();
        if (batch) {
          if (this.#ready.length < AHEAD / 2) this.#wire?.stream.resume();
          yield batch;
          continue;
        }
        if (this.#error !== undefined) throw this.#error;
        if (this.#ended) break;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      done = true;
    } finally {
      // Nobody takes the rest: the server would wait for ever.
      if (!done) this.#wire?.stream.destroy();
    }
  }
}
