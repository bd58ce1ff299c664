import type { EntityKeyVersion } from '../../../definitions/provider.js';
import { ByteWriter } from '../../../feast/byte-writer.js';
import { EntityKeySerializer } from '../../../feast/entity-key.js';
import { featureField, projectSuffix, timestampField } from '../../../feast/redis-layout.js';
import { writeTimestamp } from '../../../feast/timestamp.js';
import { type ValueEncoder, valueEncoder } from '../../../feast/value.js';
import type { OnlineBatch, OnlineView } from '../provider.js';
import { fencesKey } from './fences.js';
import { orderField, writeOrder } from './order.js';
import { type Script, writeScript } from './write-script.js';

/** The memory of one call in flight; it may be used again once the call has been answered. */
export class WireBuffer {
  readonly command = new ByteWriter(1 << 15);
  readonly rows = new ByteWriter(1 << 15);
  readonly key = new ByteWriter(256);
  readonly mark = new ByteWriter(64);
}

/** Encodes rows of one view as whole EVALSHA commands; see {@link writeScript} for the format. */
export class BatchEncoder {
  readonly script: Script;
  readonly keys: EntityKeySerializer;
  readonly project: Uint8Array;
  readonly #values: readonly ValueEncoder[];
  /** The last key and the arguments that every call shares, encoded, and how many they are. */
  readonly #fields: Uint8Array;
  readonly #count: number;

  constructor(view: OnlineView, keys: EntityKeyVersion) {
    this.script = writeScript(view.features.length);
    this.keys = new EntityKeySerializer(view.joinKeys, keys);
    this.project = projectSuffix(view.project);
    this.#values = view.features.map(({ name, type }) =>
      valueEncoder(type, `The feature ${view.name}:${name}`),
    );
    const writer = new ByteWriter();
    const names = view.features.map(({ name }) => featureField(view.name, name));
    const text = new TextEncoder();
    const shared = [
      ...[text.encode(fencesKey(view.project)), timestampField(view.name), orderField(view.name), ...names],
      text.encode(view.name),
      ...(view.retired ?? []).map((name) => featureField(view.name, name)),
    ];
    for (const bytes of shared) writeBulk(writer, { bytes, length: bytes.length });
    this.#fields = writer.take();
    this.#count = shared.length;
  }

  /** The bytes of the command that writes rows `[from, to)`. They lie in `memory`. */
  encode(memory: WireBuffer, batch: OnlineBatch, promotion: number, from: number, to: number): Buffer {
    const { command, rows, key, mark } = memory;
    command.reset();
    rows.reset();
    // EVALSHA, the script, the number of keys, the rows' keys, what all calls share, the rows.
    const count = 3 + (to - from) + this.#count + 1;
    command.utf8(`*${count}\r\n$7\r\nEVALSHA\r\n$40\r\n${this.script.sha}\r\n`);
    command.utf8(bulkText(String(to - from + 1)));
    for (let row = from; row < to; row++) {
      key.reset();
      this.keys.write(key, batch.keys, row);
      key.raw(this.project);
      writeBulk(command, key);
      // Rows of a view without timestamps share their times.
      if (row === from || !sameOrder(batch, row, row - 1)) writeMark(mark, batch, promotion, row);
      this.#writeRow(rows, batch, row, mark);
    }
    command.raw(this.#fields);
    writeBulk(command, rows);
    return Buffer.from(command.bytes.buffer, 0, command.length);
  }

  #writeRow(rows: ByteWriter, batch: OnlineBatch, row: number, mark: ByteWriter): void {
    const start = rows.length;
    rows.u32le(0);
    rows.u8(mark.length);
    rows.u8(0);
    rows.raw(mark.bytes.subarray(0, mark.length));
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

/** Replaces what is in `mark` by a row's order and a copy of its `_ts` bytes. */
export function writeMark(mark: ByteWriter, batch: OnlineBatch, promotion: number, row: number): void {
  const eventTime = batch.eventTimes[row] ?? 0n;
  mark.reset();
  writeOrder(mark, {
    promotion,
    eventTime,
    createdTime: batch.createdTimes[row] ?? 0n,
    generation: batch.generations[row] ?? 0,
  });
  writeTimestamp(mark, eventTime);
}

const heads: (Uint8Array | undefined)[] = [];

/** A bulk string of the Redis protocol: `$<length>\r\n<bytes>\r\n`. */
export function writeBulk(
  writer: ByteWriter,
  { bytes, length: size }: Pick<ByteWriter, 'bytes' | 'length'>,
): void {
  if (size < 1024) writer.raw((heads[size] ??= new TextEncoder().encode(`$${size}\r\n`)));
  else writer.utf8(`$${size}\r\n`);
  writer.raw(size === bytes.length ? bytes : bytes.subarray(0, size));
  writer.u8(13);
  writer.u8(10);
}

function bulkText(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
