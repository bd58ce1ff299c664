import type { ClientBase } from 'pg';
import { sqlState } from '../../../definitions/postgres-errors.js';
import { decodeValue } from '../../../feast/value-decoder.js';
import type { OnlineRow, OnlineView } from '../provider.js';
import { statements } from './statements.js';

/** A feature row of an entity; of each entity that is there at least one comes, asked for or not. */
interface StoredFeature {
  readonly position: number;
  readonly feature_name: string;
  readonly value: Uint8Array | null;
  /** Microseconds, as text: the greatest of the entity's rows. */
  readonly event_time: string | null;
  /** Null when Feast wrote last. */
  readonly promotion: string | null;
  readonly created_time: string | null;
  readonly generation: string | null;
}

/** The rows of some serialized keys (an array of bytea); see OnlineProvider.read. */
export async function readRows(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  keys: { readonly array: Buffer; readonly count: number },
  features: readonly string[],
): Promise<(OnlineRow | undefined)[]> {
  const types = new Map(view.features.map(({ name, type }) => [name, type]));
  const places = new Map<string, number[]>();
  features.forEach((name, i) => places.set(name, [...(places.get(name) ?? []), i]));
  const rows = Array.from<(OnlineRow & { readonly values: unknown[] }) | undefined>({ length: keys.count });
  for (const stored of await select(client, schema, view, keys.array, features)) {
    const eventTime = BigInt(stored.event_time ?? 0);
    const row = (rows[stored.position - 1] ??= {
      values: Array.from({ length: features.length }),
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
    });
    const type = types.get(stored.feature_name);
    for (const place of type === undefined ? [] : (places.get(stored.feature_name) ?? []))
      row.values[place] = decodeValue(
        type ?? 'bytes',
        stored.value ?? new Uint8Array(),
        `The feature ${view.name}:${stored.feature_name}`,
      );
  }
  return rows;
}

async function select(
  client: ClientBase,
  schema: string,
  view: OnlineView,
  keys: Buffer,
  features: readonly string[],
): Promise<StoredFeature[]> {
  try {
    const { rows } = await client.query<StoredFeature>(statements(schema, view).read, [keys, [...features]]);
    return rows;
  } catch (error) {
    // A view that was never prepared, or was removed, has no rows.
    if (['42P01', '3F000'].includes(sqlState(error) ?? '')) return [];
    throw error;
  }
}
