import { floorDiv } from '../definitions/timestamp.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';

const SECONDS_TAG = 0x08;
const NANOS_TAG = 0x10;

/** Feast's stand-in, in the place of seconds, for a NULL among timestamps. */
export const NOT_A_TIME = -(2n ** 63n);

/** Whole seconds since the epoch, rounded towards the past: what Feast keeps of a timestamp in a value or a key. */
export function secondsOf(micros: bigint): bigint {
  const number = Number(micros);
  return Number.isSafeInteger(number) ? BigInt(Math.floor(number / 1e6)) : floorDiv(micros, 1_000_000n);
}

/**
 * Writes a `google.protobuf.Timestamp` (Feast's `_ts:<view>`): seconds and nanos, each left out when 0, so the epoch is
 * no bytes at all. `micros` counts from the epoch in UTC.
 */
export function writeTimestamp(writer: ByteWriter, micros: bigint): void {
  const number = Number(micros);
  let seconds: number;
  let nanos: number;
  if (Number.isSafeInteger(number)) {
    seconds = Math.floor(number / 1e6);
    nanos = (number - seconds * 1e6) * 1000;
  } else {
    const whole = floorDiv(micros, 1_000_000n);
    seconds = Number(whole);
    nanos = Number(micros - whole * 1_000_000n) * 1000;
  }
  if (seconds !== 0) {
    writer.u8(SECONDS_TAG);
    writer.varintNumber(seconds);
  }
  if (nanos !== 0) {
    writer.u8(NANOS_TAG);
    writer.varint(nanos);
  }
}

/** The bytes of {@link writeTimestamp}. */
export function encodeTimestamp(micros: bigint): Uint8Array {
  const writer = new ByteWriter(24);
  writeTimestamp(writer, micros);
  return writer.take();
}

/**
 * Microseconds since the epoch of a `google.protobuf.Timestamp`; digits past the microsecond are cut towards the past.
 * @throws GranaryError `SchemaMismatch` when the bytes are not such a message.
 */
export function decodeTimestamp(bytes: Uint8Array): bigint {
  const reader = new ByteReader(bytes);
  let seconds = 0n;
  let nanos = 0n;
  while (!reader.done) {
    const tag = reader.size();
    if (tag === SECONDS_TAG) seconds = BigInt.asIntN(64, reader.varint());
    else if (tag === NANOS_TAG) nanos = BigInt.asIntN(32, reader.varint());
    else reader.skip(bytes.length + 1);
  }
  return seconds * 1_000_000n + floorDiv(nanos, 1000n);
}
