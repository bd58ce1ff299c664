import { asStored, encodeValue } from '../../feast/value.js';
import { Timestamp } from '../../definitions/timestamp.js';
import type { ValueType } from '../../definitions/types.js';
import type { OnlineBatch, OnlineOrder, OnlineRow, OnlineView } from './provider.js';

/** How rows of the offline store stand to what an online store holds for the same entities. */
export interface Comparison {
  /** The same values of the same event time. */
  equal: number;
  /** The store holds a newer row, by its order or, where Feast wrote last, by its event time. */
  newer: number;
  /** The store holds no row. */
  missing: number;
  /** The store holds an older row, or other values of the same order. */
  different: number;
  /** The first of what is missing or different. */
  readonly examples: Difference[];
  /** Places of the missing rows in the batch that was compared last. */
  readonly missingRows: number[];
}

/** One entity of which the two stores do not say the same. */
export interface Difference {
  /** Its join keys by name, as text. */
  readonly entity: Readonly<Record<string, string>>;
  /** The first feature that differs; absent when the whole row is missing, or only its event time differs. */
  readonly feature?: string;
  /** Values, or event times where no feature differs; as text. */
  readonly offline: string;
  readonly online: string;
}

const EXAMPLES = 10;

export const newComparison = (): Comparison => ({
  ...{ equal: 0, newer: 0, missing: 0, different: 0 },
  ...{ examples: [], missingRows: [] },
});

/**
 * Compares offline rows with what an online store answered for their keys, and adds to `into`. `timed: false`: nobody knows the offline rows' times
 * (of a source without timestamps), so values alone are compared. Values are compared as bytes: what an offline value would be stored as.
 */
export function compareRows(
  view: OnlineView,
  promotion: number,
  batch: OnlineBatch,
  found: readonly (OnlineRow | undefined)[],
  into: Comparison,
  timed = true,
): void {
  into.missingRows.length = 0;
  for (let row = 0; row < batch.rows; row++) {
    const online = found[row];
    const note = (difference: Omit<Difference, 'entity'>): void => {
      if (into.examples.length < EXAMPLES)
        into.examples.push({ entity: entityOf(view, batch, row), ...difference });
    };
    if (!online) {
      into.missing++;
      into.missingRows.push(row);
      note({ offline: 'a row', online: 'no row' });
      continue;
    }
    const offline: OnlineOrder = {
      promotion,
      eventTime: batch.eventTimes[row] ?? 0n,
      createdTime: batch.createdTimes[row] ?? 0n,
      generation: batch.generations[row] ?? 0,
    };
    const feature = view.features.findIndex(
      ({ type }, i) => !sameBytes(type, batch.values[i]?.[row], online.values[i]),
    );
    const order = timed ? compareOrder(online, offline) : 0;
    if (order > 0 && !(online.order === undefined && feature < 0)) into.newer++;
    else if (feature >= 0) {
      into.different++;
      const { name, type } = view.features[feature] ?? { name: '', type: 'string' };
      note({
        feature: name,
        offline: shown(asStored(type, batch.values[feature]?.[row])),
        online: shown(online.values[feature]),
      });
    } else if (order < 0) {
      into.different++;
      note({ offline: at(offline.eventTime), online: at(online.eventTime) });
    } else into.equal++;
  }
}

/** Above 0: the online row is newer. Where Feast wrote last it has an event time alone, and of equal ones its row stays. */
function compareOrder({ order, eventTime }: OnlineRow, offline: OnlineOrder): number {
  if (!order) return eventTime >= offline.eventTime ? 1 : -1;
  if (order.promotion !== offline.promotion) return order.promotion > offline.promotion ? 1 : -1;
  if (order.eventTime !== offline.eventTime) return order.eventTime > offline.eventTime ? 1 : -1;
  if (order.createdTime !== offline.createdTime) return order.createdTime > offline.createdTime ? 1 : -1;
  return order.generation - offline.generation;
}

function sameBytes(type: ValueType, offline: unknown, online: unknown): boolean {
  // Most values are what they look like: bytes are made of the others alone.
  if (offline === online && (typeof offline === 'bigint' || typeof offline === 'string')) return true;
  return Buffer.from(encodeValue(type, offline)).equals(encodeValue(type, online));
}

function entityOf(view: OnlineView, batch: OnlineBatch, row: number): Record<string, string> {
  return Object.fromEntries(
    view.joinKeys.map(({ name, type }, i) => {
      const value = batch.keys[i]?.[row];
      return [name, type === 'timestamp' ? at(value as bigint) : shown(value)];
    }),
  );
}

const at = (micros: bigint): string => new Timestamp(micros).toString();

/** A value as text: strings in quotes, bytes in hex, long ones cut. */
function shown(value: unknown): string {
  const text = plain(value);
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return `[${value.map(plain).join(', ')}]`;
  if (typeof value === 'string') return JSON.stringify(value);
  return Object.is(value, -0) ? '-0' : String(value as number | bigint | boolean);
}

/** One difference in words: `{user_id: 7}: the feature total is 3 online and 4 offline`. */
export function differenceText({ entity, feature, offline, online }: Difference): string {
  const of = Object.entries(entity)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ');
  if (feature !== undefined)
    return `{${of}}: the feature ${feature} is ${online} online and ${offline} offline`;
  return online === 'no row'
    ? `{${of}}: there is no row online`
    : `{${of}}: the row online is of ${online}, and offline of ${offline}`;
}
