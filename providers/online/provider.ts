import type { ScalarType, ValueType } from '../../definitions/types.js';

/** A view as an online store knows it. Names are Feast's: `project` is the suffix of every Redis key. */
export interface OnlineView {
  /** Feast project, such as `feature_store_dev`. */
  readonly project: string;
  /** Name of the view in the store (a variant that is not the default bears `<name>_<variant>`). */
  readonly name: string;
  readonly joinKeys: readonly { readonly name: string; readonly type: ScalarType }[];
  readonly features: readonly { readonly name: string; readonly type: ValueType }[];
}

/** Rows to write, in columns; see {@link ColumnBatch} for the values. All arrays have `rows` items. */
export interface OnlineBatch {
  readonly rows: number;
  /** One array a join key, in the view's order. A NULL is refused (`NullKey`). */
  readonly keys: readonly (readonly unknown[])[];
  /** One array a feature, in the view's order. */
  readonly values: readonly (readonly unknown[])[];
  /** Microseconds since the epoch, UTC. */
  readonly eventTimes: readonly bigint[];
  /** Microseconds since the epoch, UTC; null counts as 0. */
  readonly createdTimes: readonly (bigint | null)[];
  /** Generation of the version that each row came from. */
  readonly generations: readonly number[];
}

/**
 * What became of the rows of a batch; the three add up to its rows. Of several rows of one entity in a batch, those that
 * the newest of them replaces count as `written` or `older`, as the store goes about it.
 */
export interface WriteCounts {
  /** Rows that are stored now. */
  readonly written: number;
  /** Rows that lost against a newer row in the store. */
  readonly older: number;
  /** Rows whose order equals the stored one: nothing was changed. */
  readonly unchanged: number;
}

/** One entity's stored state in a view. */
export interface OnlineRow {
  /** One value a requested feature, decoded (see ColumnBatch); `undefined` when the store has no such field. */
  readonly values: readonly unknown[];
  /** Microseconds since the epoch, UTC. */
  readonly eventTime: bigint;
  /** The order that Granary wrote, or `undefined` when another writer (Feast) wrote last. */
  readonly order: OnlineOrder | undefined;
}

/** What decides which row is newer, compared in this order. */
export interface OnlineOrder {
  readonly promotion: number;
  readonly eventTime: bigint;
  readonly createdTime: bigint;
  readonly generation: number;
}

/**
 * An online store: the newest row per entity and view, read by key. Implementations speak Feast's layouts. Methods
 * throw GranaryError `ProviderUnreachable` (retryable) when the server does not answer; any other error is final.
 */
export interface OnlineProvider {
  /** `redis at redis://host:6379/0`, without a secret. */
  readonly description: string;
  /** Connects and runs one cheap command. */
  check(): Promise<void>;
  /**
   * The random id of this store's contents for a project, made with `SET NX` semantics when absent. When the store comes
   * back empty the id differs from the registry's: what was loaded is gone and must be loaded again.
   */
  storeId(project: string): Promise<string>;
  /** Creates what the view needs (a table in Postgres, nothing in Redis). Idempotent, safe to run side by side. */
  prepare(view: OnlineView): Promise<void>;
  /**
   * Writes rows, newer wins, compared and written atomically per row: by (promotion, event time, created time or 0,
   * generation); an equal order changes nothing. Resolves when the store has acknowledged every row.
   */
  write(view: OnlineView, promotion: number, batch: OnlineBatch): Promise<WriteCounts>;
  /**
   * The stored rows of some entities, in the keys' order; `undefined` where the store has none. `keys[i]` holds the i-th
   * entity's values in the order of the view's join keys.
   */
  read(
    view: OnlineView,
    keys: readonly (readonly unknown[])[],
    features: readonly string[],
  ): Promise<(OnlineRow | undefined)[]>;
  close(): Promise<void>;
}
