import { randomBytes } from 'node:crypto';
import { Timestamp } from '../../definitions/timestamp.js';
import type { OnlineProvider, OnlineView } from '../../providers/online/provider.js';

/** A running server, as a test needs it. */
export interface OnlineStoreUnderTest {
  /** A provider as another process would have one. */
  open(): OnlineProvider;
  /** One that writes entity keys in Feast's serialization 2. */
  openKeys2(): OnlineProvider;
  /** A provider for an address where nothing listens, with the password `s3cret`, and what its errors must name. */
  unreachable(): { readonly provider: OnlineProvider; readonly address: string };
  /** Empties the store of one project, as FLUSHDB or DROP SCHEMA would. */
  wipe(project: string): Promise<void>;
  /** Characters of the longest name of a view, in a project of {@link userView}. */
  readonly longestName: number;
}

/** One row in the words of a test: event time in microseconds from {@link T0}. */
export interface TestRow {
  readonly id?: bigint;
  readonly event: number;
  readonly created?: number | null;
  readonly generation?: number;
  readonly value: bigint | null;
}

export const T0 = Timestamp.from('2026-01-01').micros;

/** A view with the join key `user_id` and the feature `f`, in a project that no other test uses. */
export function userView(overrides: Partial<OnlineView> = {}): OnlineView {
  return {
    project: `t_${randomBytes(6).toString('hex')}`,
    name: 'user_features',
    joinKeys: [{ name: 'user_id', type: 'int64' }],
    features: [{ name: 'f', type: 'int64' }],
    ...overrides,
  };
}

/** Writes rows of a {@link userView} as one batch and returns the counts as text: `1w 0o 0u`. */
export async function writeRows(
  provider: OnlineProvider,
  view: OnlineView,
  promotion: number,
  rows: readonly TestRow[],
): Promise<string> {
  const { written, older, unchanged } = await provider.write(view, promotion, {
    rows: rows.length,
    keys: [rows.map(({ id = 1n }) => id)],
    values: [rows.map(({ value }) => value)],
    eventTimes: rows.map(({ event }) => T0 + BigInt(event)),
    createdTimes: rows.map(({ created = null }) => (created === null ? null : T0 + BigInt(created))),
    generations: rows.map(({ generation = 1 }) => generation),
  });
  return `${written}w ${older}o ${unchanged}u`;
}

/** The value of feature `f` of an entity, or `undefined` when the store has no row. */
export async function readValue(provider: OnlineProvider, view: OnlineView, id = 1n): Promise<unknown> {
  const [row] = await provider.read(view, [[id]], ['f']);
  return row?.values[0];
}
