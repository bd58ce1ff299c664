import { ByteWriter } from '../../../feast/byte-writer.js';
import type { OnlineOrder } from '../provider.js';

/**
 * The hash field in which Granary keeps a row's order: `__granary:<view>`. Feast reads fields by name and looks only for
 * `_ts:...` and 4-byte ones, so it neither sees nor deletes this one.
 */
export function orderField(view: string): Uint8Array {
  return new TextEncoder().encode(`__granary:${view}`);
}

/** Bytes of an order; a copy of the row's `_ts` bytes follows them in the hash field. */
export const ORDER_BYTES = 28;

const BIAS = 2n ** 63n;
const MAX_U32 = 0xffff_ffff;

/**
 * An order as 28 bytes: promotion u32, event time u64, created time u64 (both microseconds since the epoch + 2^63) and
 * generation u64, all big-endian. Compared as unsigned numbers from left to right they are in the order of OnlineOrder.
 */
export function writeOrder(writer: ByteWriter, order: OnlineOrder): void {
  writer.u32be(Math.min(order.promotion, MAX_U32));
  writer.i64be(BigInt.asIntN(64, order.eventTime + BIAS));
  writer.i64be(BigInt.asIntN(64, order.createdTime + BIAS));
  writer.i64be(BigInt(order.generation));
}

/**
 * The mark of an entity that was removed: its order and this byte, with which no `_ts` begins. There is no `_ts` beside it, so that readers see
 * no row, until Feast or a newer row of ours brings one.
 */
export const TOMBSTONE = 0xff;

/** The mark of a removed entity with the order (promotion, event time, 0, 0). */
export function tombstoneMark(promotion: number, eventTime: bigint): Buffer {
  const writer = new ByteWriter(ORDER_BYTES + 1);
  writeOrder(writer, { promotion, eventTime, createdTime: 0n, generation: 0 });
  writer.u8(TOMBSTONE);
  return Buffer.from(writer.take());
}

/** Reads what {@link writeOrder} wrote; `undefined` when there are too few bytes. */
export function readOrder(bytes: Uint8Array): OnlineOrder | undefined {
  if (bytes.length < ORDER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    promotion: view.getUint32(0),
    eventTime: view.getBigUint64(4) - BIAS,
    createdTime: view.getBigUint64(12) - BIAS,
    generation: Number(view.getBigUint64(20)),
  };
}
