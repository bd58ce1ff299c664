import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ByteWriter } from '../../feast/byte-writer.js';
import { featureField, projectSuffix, timestampField } from '../../feast/redis-layout.js';
import { EntityKeySerializer } from '../../feast/entity-key.js';
import { valueEncoder } from '../../feast/value.js';
import type { OnlineBatch, OnlineView, WriteCounts } from '../../providers/online/provider.js';
import { writeBulk, writeMark } from '../../providers/online/redis/batch-encoder.js';
import { ORDER_BYTES, orderField } from '../../providers/online/redis/order.js';

const ROWS_PER_CHUNK = 100;
/** Rows sent and not answered; what the real writer has in flight. */
const ROWS_IN_FLIGHT = 3200;
const LINE_FEED = 10;

/** Plain HSETs of the rows `[from, to)`: the fields that a load stores, the order's among them. */
export class HsetEncoder {
  readonly #keys: EntityKeySerializer;
  readonly #project: Uint8Array;
  /** `HSET` with the number of its arguments, and the fields; encoded. */
  readonly #head: Uint8Array;
  readonly #fields: readonly Uint8Array[];
  readonly #values;
  readonly #value = new ByteWriter();
  readonly #mark = new ByteWriter();

  constructor(view: OnlineView) {
    this.#keys = new EntityKeySerializer(view.joinKeys);
    this.#project = projectSuffix(view.project);
    const features = view.features.map(({ name }) => featureField(view.name, name));
    this.#fields = [timestampField(view.name), orderField(view.name), ...features].map((bytes) => {
      const writer = new ByteWriter();
      writeBulk(writer, { bytes, length: bytes.length });
      return writer.take();
    });
    this.#head = Buffer.from(`*${2 + 2 * this.#fields.length}\r\n$4\r\nHSET\r\n`);
    this.#values = view.features.map(({ name, type }) => valueEncoder(type, name));
  }

  encode(writer: ByteWriter, batch: OnlineBatch, promotion: number, from: number, to: number): void {
    const value = this.#value;
    const mark = this.#mark;
    for (let row = from; row < to; row++) {
      writer.raw(this.#head);
      value.reset();
      this.#keys.write(value, batch.keys, row);
      value.raw(this.#project);
      writeBulk(writer, value);
      writeMark(mark, batch, promotion, row);
      const timestamp = mark.bytes.subarray(ORDER_BYTES, mark.length);
      this.#fields.forEach((field, i) => {
        writer.raw(field);
        if (i === 0) return writeBulk(writer, { bytes: timestamp, length: timestamp.length });
        if (i === 1) return writeBulk(writer, mark);
        value.reset();
        this.#values[i - 2]?.(value, batch.values[i - 2]?.[row]);
        writeBulk(writer, value);
      });
    }
  }
}

/** Writes without asking what is there: plain HSETs, pipelined on one socket. What newer-wins is held against. */
export class BlindStore {
  readonly #socket: Socket;
  readonly #encoder: HsetEncoder;
  #sent = 0;
  #answered = 0;
  #wake: () => void = () => undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket, view: OnlineView) {
    this.#socket = socket;
    this.#encoder = new HsetEncoder(view);
    socket.on('data', (data: Buffer) => {
      if (data.includes('-ERR')) this.#failure = new Error(data.toString('latin1').slice(0, 200));
      // Every reply is one line.
      for (let at = data.indexOf(LINE_FEED); at >= 0; at = data.indexOf(LINE_FEED, at + 1)) this.#answered++;
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
  }

  /** Speaks `redis://` with user, password and database; no TLS. */
  static async open(url: string, view: OnlineView): Promise<BlindStore> {
    const { hostname, port, password, username, pathname } = new URL(url);
    const socket = connect(Number(port || 6379), hostname).setNoDelay(true);
    await once(socket, 'connect');
    const store = new BlindStore(socket, view);
    if (password) await store.#send(Buffer.from(`AUTH ${username || 'default'} ${password}\r\n`), 1);
    await store.#send(Buffer.from(`SELECT ${pathname.slice(1) || '0'}\r\n`), 1);
    return store;
  }

  async write(_view: OnlineView, promotion: number, batch: OnlineBatch): Promise<WriteCounts> {
    for (let from = 0; from < batch.rows; from += ROWS_PER_CHUNK) {
      const to = Math.min(from + ROWS_PER_CHUNK, batch.rows);
      const writer = new ByteWriter(1 << 15);
      this.#encoder.encode(writer, batch, promotion, from, to);
      await this.#send(Buffer.from(writer.bytes.buffer, 0, writer.length), to - from);
    }
    await this.#until(this.#sent);
    return { written: batch.rows, older: 0, unchanged: 0 };
  }

  close(): void {
    this.#socket.destroy();
  }

  async #send(bytes: Buffer, replies: number): Promise<void> {
    await this.#until(this.#sent + replies - ROWS_IN_FLIGHT);
    this.#sent += replies;
    this.#socket.write(bytes);
  }

  async #until(answered: number): Promise<void> {
    while (this.#answered < answered) {
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => {
        const others = this.#wake;
        this.#wake = () => {
          others();
          resolve();
        };
      });
    }
  }
}
