import { ByteWriter } from '../../../feast/byte-writer.js';
import { EntityKeySerializer } from '../../../feast/entity-key.js';
import { featureField, projectSuffix, timestampField } from '../../../feast/redis-layout.js';
import { writeTimestamp } from '../../../feast/timestamp.js';
import { type ValueEncoder, valueEncoder } from '../../../feast/value.js';
import type { OnlineBatch, OnlineView } from '../provider.js';
import { orderField, writeOrder } from './order.js';
import { type Script, writeScript } from './write-script.js';

/** The memory of one call in flight; it may be used again once the call has been answered. */
export class WireBuffer {
  readonly command = new ByteWriter(1 << 15);
  readonly rows = new ByteWriter(1 << 15);
  readonly scratch = new ByteWriter(256);
}

/** Encodes rows of one view as whole EVALSHA commands; see {@link writeScript} for the format. */
export class BatchEncoder {
  readonly script: Script;
  readonly keys: EntityKeySerializer;
  readonly project: Uint8Array;
  readonly #values: readonly ValueEncoder[];
  /** The arguments that every call shares, encoded. */
  readonly #fields: Uint8Array;

  constructor(view: OnlineView) {
    this.script = writeScript(view.features.length);
    this.keys = new EntityKeySerializer(view.joinKeys);
    this.project = projectSuffix(view.project);
    this.#values = view.features.map(({ name, type }) =>
      valueEncoder(type, `The feature ${view.name}:${name}`),
    );
    const writer = new ByteWriter();
    const names = view.features.map(({ name }) => featureField(view.name, name));
    for (const field of [timestampField(view.name), orderField(view.name), ...names])
      writeBulk(writer, field);
    this.#fields = writer.take();
  }

  /** The bytes of the command that writes rows `[from, to)`. They lie in `memory`. */
  encode(memory: WireBuffer, batch: OnlineBatch, promotion: number, from: number, to: number): Buffer {
    const { command, rows, scratch } = memory;
    command.reset();
    rows.reset();
    // EVALSHA, the script, the number of keys, the keys, the fields, the rows.
    const count = 3 + (to - from) + 2 + this.#values.length + 1;
    command.utf8(`*${count}\r\n$7\r\nEVALSHA\r\n$40\r\n${this.script.sha}\r\n`);
    command.utf8(bulkText(String(to - from)));
    let mark: Uint8Array | undefined;
    for (let row = from; row < to; row++) {
      scratch.reset();
      this.keys.write(scratch, batch.keys, row);
      scratch.raw(this.project);
      writeBulk(command, scratch.bytes.subarray(0, scratch.length));
      // Rows of one version mostly share their times.
      if (mark === undefined || !sameOrder(batch, row, row - 1))
        mark = encodeMark(scratch, batch, promotion, row);
      this.#writeRow(rows, batch, row, mark);
    }
    command.raw(this.#fields);
    writeBulk(command, rows.bytes.subarray(0, rows.length));
    return Buffer.from(command.bytes.buffer, 0, command.length);
  }

  #writeRow(rows: ByteWriter, batch: OnlineBatch, row: number, mark: Uint8Array): void {
    const start = rows.length;
    rows.u32le(0);
    rows.u8(mark.length);
    rows.u8(0);
    rows.raw(mark);
    for (let i = 0; i < this.#values.length; i++) {
      rows.u32le(0);
      const at = rows.length;
      this.#values[i]?.(rows, batch.values[i]?.[row]);
      rows.patchU32le(at - 4, rows.length - at);
    }
    rows.patchU32le(start, rows.length - start);
  }
}

function sameOrder(batch: OnlineBatch, a: number, b: number): boolean {
  return (
    batch.eventTimes[a] === batch.eventTimes[b] &&
    batch.createdTimes[a] === batch.createdTimes[b] &&
    batch.generations[a] === batch.generations[b]
  );
}

/** The order and a copy of the `_ts` bytes. */
function encodeMark(scratch: ByteWriter, batch: OnlineBatch, promotion: number, row: number): Uint8Array {
  const eventTime = batch.eventTimes[row] ?? 0n;
  scratch.reset();
  writeOrder(scratch, {
    promotion,
    eventTime,
    createdTime: batch.createdTimes[row] ?? 0n,
    generation: batch.generations[row] ?? 0,
  });
  writeTimestamp(scratch, eventTime);
  return scratch.take();
}

const heads: (Uint8Array | undefined)[] = [];

/** A bulk string of the Redis protocol: `$<length>\r\n<bytes>\r\n`. */
function writeBulk(writer: ByteWriter, bytes: Uint8Array): void {
  const size = bytes.length;
  if (size < 1024) writer.raw((heads[size] ??= new TextEncoder().encode(`$${size}\r\n`)));
  else writer.utf8(`$${size}\r\n`);
  writer.raw(bytes);
  writer.u8(13);
  writer.u8(10);
}

function bulkText(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
