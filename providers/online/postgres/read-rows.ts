import type { ClientBase } from 'pg';
import { decodeValue } from '../../../feast/value-decoder.js';
import { ByteWriter } from '../../../feast/byte-writer.js';
import { writeTimestamp } from '../../../feast/timestamp.js';
import type { OnlineRow, OnlineView, StoredRows } from '../provider.js';
import { isTableGone } from './postgres-errors.js';
import { statements } from './statements.js';

/** An entity that is there. */
interface StoredEntity {
  readonly position: number;
  /** Null when it has none of the features. */
  readonly packed: Buffer | null;
  /** Microseconds, as text: the greatest of the entity's rows. */
  readonly event_time: string | null;
  /** Null when Feast wrote last. */
  readonly promotion: string | null;
  readonly created_time: string | null;
  readonly generation: string | null;
}

/** Serialized keys as an array of bytea, and how many they are. */
export interface KeyArray {
  readonly array: Buffer;
  readonly count: number;
}

/** The rows of some keys as their bytes, which nobody has decoded; see OnlineProvider.readStored. */
export async function readStoredRows(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  keys: KeyArray,
  features: readonly string[],
): Promise<StoredRows> {
  const stride = 2 * (1 + features.length);
  const at = new Int32Array(keys.count * stride).fill(-1);
  const writer = new ByteWriter(1 << 12);
  for (const stored of await select(client, schema, view, keys.array, features)) {
    const first = (stored.position - 1) * stride;
    at[first] = writer.length;
    writeTimestamp(writer, BigInt(stored.event_time ?? 0));
    at[first + 1] = writer.length;
    const found = unpack(stored.packed ?? Buffer.alloc(0));
    for (const [f, name] of features.entries()) {
      const value = found.get(name);
      if (value === undefined) continue;
      at[first + 2 + 2 * f] = writer.length;
      writer.raw(value);
      at[first + 3 + 2 * f] = writer.length;
    }
  }
  return { bytes: Buffer.from(writer.take().buffer), at, first: 0, stride };
}

/** The rows of some keys; see OnlineProvider.read. */
export async function readRows(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  keys: KeyArray,
  features: readonly string[],
): Promise<(OnlineRow | undefined)[]> {
  const types = new Map(view.features.map(({ name, type }) => [name, type]));
  const rows = Array.from<OnlineRow | undefined>({ length: keys.count });
  for (const stored of await select(client, schema, view, keys.array, features)) {
    const eventTime = BigInt(stored.event_time ?? 0);
    const found = unpack(stored.packed ?? Buffer.alloc(0));
    rows[stored.position - 1] = {
      values: features.map((name) => {
        const type = types.get(name);
        const value = found.get(name);
        return type && value ? decodeValue(type, value, `The feature ${view.name}:${name}`) : undefined;
      }),
      eventTime,
      order:
        stored.promotion === null
          ? undefined
          : {
              promotion: Number(stored.promotion),
              eventTime,
              createdTime: BigInt(stored.created_time ?? 0),
              generation: Number(stored.generation),
            },
    };
  }
  return rows;
}

/** The bytes of each feature by name. */
function unpack(packed: Buffer): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (let at = 0; at < packed.length;) {
    const value = at + 4 + packed.readInt32BE(at);
    const end = value + 4 + packed.readInt32BE(value);
    found.set(packed.toString('utf8', at + 4, value), packed.subarray(value + 4, end));
    at = end;
  }
  return found;
}

async function select(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  keys: Buffer,
  features: readonly string[],
): Promise<StoredEntity[]> {
  try {
    const { rows } = await client.query<StoredEntity>(statements(schema, view).read, [keys, [...features]]);
    return rows;
  } catch (error) {
    // A view that was never prepared, or was removed, has no rows.
    if (isTableGone(error)) return [];
    throw error;
  }
}
