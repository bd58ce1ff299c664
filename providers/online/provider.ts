import type { ScalarType, ValueType } from '../../definitions/types.js';

/** A view as an online store knows it. Names are Feast's: `project` is the suffix of every Redis key. */
export interface OnlineView {
  /** Feast project, such as `feature_store_dev`. */
  readonly project: string;
  /** Name of the view in the store (a variant that is not the default bears `<name>_<variant>`). */
  readonly name: string;
  readonly joinKeys: readonly { readonly name: string; readonly type: ScalarType }[];
  readonly features: readonly { readonly name: string; readonly type: ValueType }[];
  /** Features that other variants had under this name and this one has not: a row that is written loses them. */
  readonly retired?: readonly string[];
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

/** Features of one view for some entities. `keys[i]` holds the i-th entity's values in the order of the view's join keys. */
export interface OnlineRead {
  readonly view: OnlineView;
  readonly keys: readonly (readonly unknown[])[];
  readonly features: readonly string[];
}

/**
 * The rows of one read as they are stored, without an object a value. The i-th entity's places begin at `at[first + i * stride]`: pairs of start
 * and end in `bytes`, first of its `google.protobuf.Timestamp`, then of each feature's `feast.types.Value`; a start of -1 means that the
 * store has no such field, -2 that what it has is no row. `bytes` stays as it is.
 */
export interface StoredRows {
  readonly bytes: Buffer;
  readonly at: Int32Array;
  readonly first: number;
  readonly stride: number;
}

/** Some entities of a view that have a row: `keys[i]` holds the i-th one's values in the order of the view's join keys. */
export interface EntityRows {
  readonly keys: readonly (readonly unknown[])[];
  readonly rows: StoredRows;
}

/** Contents of an online store, and the process that holds them. */
export interface StoreState {
  /** Random; a new one when the contents were lost. */
  readonly id: string;
  /**
   * Changes when the server was started anew or replaced by another, where it may then have lost rows that it had
   * acknowledged; always '' where an acknowledged row is durable.
   */
  readonly server: string;
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
   * Who holds a project's rows. The random id is made with `SET NX` semantics when it is absent: when the store comes back empty, it
   * differs from the registry's, and what was loaded must be loaded again.
   */
  state(project: string): Promise<StoreState>;
  /**
   * Gives the contents a new id, unless somebody did so since they had the one that is given: for a store that is found to have lost
   * rows, so that everybody loads anew.
   */
  renew(project: string, lost: string): Promise<void>;
  /** The greatest receipt that the store holds for a view; 0 when it holds none. */
  receipt(project: string, view: string): Promise<number>;
  /**
   * Leaves a receipt for a view after the rows of a load, if the store is still the one of that state, in one atomic step; `false` when it
   * is not. Whatever the store keeps of a time before a loss, it keeps the rows that came before a receipt that it keeps. A
   * lower receipt than the store's changes nothing.
   */
  acknowledge(project: string, view: string, state: StoreState, receipt: number): Promise<boolean>;
  /** Creates what the view needs (a table in Postgres, nothing in Redis). Idempotent, safe to run side by side. */
  prepare(view: OnlineView): Promise<void>;
  /**
   * Writes rows, newer wins, compared and written atomically per row: by (promotion, event time, created time or 0,
   * generation); an equal order changes nothing, and a promotion below the fence neither (it counts as `older`). Resolves when
   * the store has acknowledged every row.
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
  /**
   * Several views at once, one such list a read: in Redis one pipelined round trip, in which views that share their join keys and their
   * `keys` (the same array) share a command.
   */
  readAll(reads: readonly OnlineRead[]): Promise<(OnlineRow | undefined)[][]>;
  /** As {@link readAll}, but the bytes as they are stored: the feature server's way. */
  readStored(reads: readonly OnlineRead[]): Promise<StoredRows[]>;
  /**
   * All entities that have a row in the view, each once, in no order, some hundreds at a time in memory that does not grow with the store; what comes or
   * goes meanwhile may be there or not. Whoever stops iterating stops the reading. Fails, `ProviderUnreachable`, where it cannot
   * know that it saw all of them.
   */
  entities(view: OnlineView, features: readonly string[]): AsyncIterable<EntityRows>;
  /**
   * Lets no row of a lower promotion into a view any more, whoever comes with it: a load of the variant that bore the name before may sleep
   * for as long as it likes. A higher fence stays. Resolves once no write that began below the fence is under way.
   */
  fence(view: OnlineView, promotion: number): Promise<void>;
  /**
   * Removes the entities of a view whose rows have a lower promotion, with all that the view and its `retired` features have there. Safe to repeat
   * and to kill; the fence must stand before. Resolves to how many entities went.
   *
   * Where `tombstone` is given each removed entity leaves one with the order (promotion, event time, 0, 0), the event time in microseconds: a
   * later row at or below that order changes nothing (it counts as `older`), a newer one is written and takes the tombstone's place.
   * Readers, Feast's and ours, see no row.
   */
  removeBelow(
    view: OnlineView,
    promotion: number,
    tombstone?: { readonly eventTime: bigint },
  ): Promise<number>;
  /** Removes the tombstones of a view whose event time is before `before` (microseconds); resolves to how many. Safe to repeat and to kill. */
  collectTombstones(view: OnlineView, before: bigint): Promise<number>;
  /**
   * Removes a view: its values, their order and its receipt; in Redis only its own fields of each entity's hash, in Postgres its table. What others
   * keep there stays, also other projects whose name ends alike. Safe to repeat and to kill; a new call takes over from one that goes on.
   * `isWanted` asks the registry, after whatever fences older attempts and before anything is removed. Resolves to how many entities
   * had values where the store can tell.
   * @throws GranaryError `StaleToken` when it is not wanted any more.
   */
  remove(view: OnlineView, isWanted: () => Promise<boolean>): Promise<number | undefined>;
  close(): Promise<void>;
}
