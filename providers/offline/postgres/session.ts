import { GranaryError } from '../../../definitions/errors.js';
import { quoteName } from '../../../definitions/sql.js';
import type { ScalarType, ValueType } from '../../../definitions/types.js';
import type { Profile } from '../../../definitions/profile.js';
import type { RowRule, RuleResult } from '../../../definitions/validation.js';
import type { ColumnBatch } from '../../columns.js';
import {
  STAGED_COLUMNS,
  type FoundColumns,
  type JoinStatistics,
  type NewestRows,
  type PointInTimeJoin,
} from '../provider.js';
import { applyRules } from '../rules.js';
import type {
  StagedNewest,
  StagedShape,
  StagedTable,
  StageOwner,
  TableOutput,
  TableRelation,
  TableSession,
} from '../table-provider.js';
import { BinaryDecoder } from './binary-decoder.js';
import { inspectTable, tableColumns } from './catalogue.js';
import { Connection, type Server } from './connection.js';
import { joinInTime } from './point-in-time-join.js';
import { profileTable } from './profile.js';
import { runQuery } from './query.js';
import { locate, relationSql } from './relation-sql.js';
import { tableSql } from './sql-text.js';
import { stageNewestRows } from './stage-newest.js';
import { ensureSchema, HIDDEN } from './system-tables.js';

/** Opens the connection of a session. */
export interface SessionSettings {
  readonly server: Server;
  readonly schema: string;
  readonly signal: AbortSignal;
  /** The longest a statement may take; 0: no limit of ours. */
  readonly timeoutMs: number;
}

/** One connection behind the interface; calls take turns, reads have connections of their own. */
export class PostgresSession implements TableSession {
  readonly #settings: SessionSettings;
  readonly #connection: Connection;
  #last: Promise<unknown> = Promise.resolve();
  #prepared = false;

  private constructor(settings: SessionSettings, connection: Connection) {
    this.#settings = settings;
    this.#connection = connection;
  }

  static async open(settings: SessionSettings): Promise<PostgresSession> {
    const connection = await Connection.open(settings.server, settings.signal, 'Connecting');
    return new PostgresSession(settings, connection);
  }

  inspect(relation: TableRelation): Promise<void> {
    return this.#turn(`Reading ${relation.name}`, async (c) => {
      await inspectTable(c, relation);
    });
  }

  query(request: Parameters<TableSession['query']>[0]): Promise<StagedTable> {
    return this.#staging(`The query of ${request.output.name}`, (c) =>
      runQuery(c, this.#settings.schema, request),
    );
  }

  pointInTimeJoin(
    request: PointInTimeJoin<TableRelation, TableOutput>,
  ): Promise<JoinStatistics & StagedTable> {
    return this.#staging(`The point-in-time join of ${request.output.name}`, (c) =>
      joinInTime(c, this.#settings.schema, request),
    );
  }

  stageNewest(request: NewestRows<TableRelation>, stage: StageOwner, detail: unknown): Promise<StagedNewest> {
    return this.#staging(`Staging ${request.name}`, (c) =>
      stageNewestRows(c, this.#settings.schema, request, stage, detail),
    );
  }

  validate(
    staged: string,
    rows: Parameters<TableSession['validate']>[1],
    rules: readonly RowRule[],
  ): Promise<readonly RuleResult[]> {
    const table = tableSql({ schema: this.#settings.schema, table: staged });
    return this.#turn(`Validating ${rows.name}`, (c) =>
      c.inSnapshot(() => applyRules(c, table, rows, rules), this.#settings.timeoutMs),
    );
  }

  profile(staged: string, rows: StagedShape, most?: number): Promise<Profile> {
    const table = { schema: this.#settings.schema, table: staged };
    return this.#turn(`Profiling ${rows.name}`, (c) =>
      c.inSnapshot(async () => {
        const hasOrder = (await tableColumns(c, table))?.some(({ name }) => name === HIDDEN.row) ?? false;
        return await profileTable(c, { sql: tableSql(table), hasOrder }, rows, most);
      }, this.#settings.timeoutMs),
    );
  }

  columns(relation: TableRelation): Promise<FoundColumns> {
    return this.#turn(`Reading ${relation.name}`, async (c) =>
      Object.fromEntries(
        ((await tableColumns(c, relation.table)) ?? []).map(({ name, shown }) => [name, shown]),
      ),
    );
  }

  async *read(
    given: TableRelation,
    { limit }: { readonly limit?: number } = {},
  ): AsyncGenerator<ColumnBatch> {
    const columns = Object.entries(given.schema).map(([name, type]) => ({ name, type }));
    yield* this.#copy(given.name, columns, async (c) => {
      const relation = await locate(c, given);
      const select = await relationSql(c, relation);
      const all = await tableColumns(c, relation.table);
      const ordered = relation.versions !== undefined && all?.some(({ name }) => name === HIDDEN.row);
      const order = ordered === true ? ` ORDER BY r.${HIDDEN.start}, r.${HIDDEN.row}` : '';
      return `${select}${order}${limit === undefined ? '' : ` LIMIT ${Math.max(0, Math.trunc(limit))}`}`;
    });
  }

  async *readShard(
    { name, joinKeys, features }: Pick<NewestRows, 'name' | 'joinKeys' | 'features'>,
    { table, shard, fromRow, every = 1 }: Parameters<TableSession['readShard']>[1],
  ): AsyncGenerator<ColumnBatch> {
    const own = (column: string): { name: string; type: ValueType } => ({ name: column, type: 'int64' });
    const columns = [
      ...joinKeys.map(({ type }, i): { name: string; type: ScalarType } => ({ name: `k${i}`, type })),
      ...features.map(({ type }, i) => ({ name: `f${i}`, type })),
      own(STAGED_COLUMNS.eventTime),
      own(STAGED_COLUMNS.createdTime),
      own(STAGED_COLUMNS.generation),
    ];
    const { schema } = this.#settings;
    yield* this.#copy(name, columns, async (c) => {
      if (!(await tableColumns(c, { schema, table })))
        throw new GranaryError(
          'SourceMissing',
          `${name}: the staged rows are gone from the database (${schema}.${table}). Run again.`,
        );
      return `SELECT ${columns.map((column) => quoteName(column.name)).join(', ')} FROM ${tableSql({ schema, table })} WHERE ${HIDDEN.shard} = ${Math.trunc(shard)} AND ${HIDDEN.row} >= ${Math.trunc(fromRow)} AND ${HIDDEN.row} % ${Math.trunc(every)} = 0 ORDER BY ${HIDDEN.row}`;
    });
  }

  async *#copy(
    subject: string,
    columns: readonly { readonly name: string; readonly type: ValueType }[],
    select: (c: Connection) => Promise<string>,
  ): AsyncGenerator<ColumnBatch> {
    const { server, signal, timeoutMs } = this.#settings;
    const c = await Connection.open(server, signal, `Reading ${subject}`);
    try {
      await c.run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await c.run(
        `SET LOCAL TimeZone = 'UTC'; SET LOCAL jit = off; SET LOCAL statement_timeout = ${Math.trunc(timeoutMs)}`,
      );
      yield* c.copy(await select(c), new BinaryDecoder(columns, subject));
    } finally {
      await c.close();
    }
  }

  #staging<T>(subject: string, work: (c: Connection) => Promise<T>): Promise<T> {
    return this.#turn(subject, async (c) => {
      if (!this.#prepared) await ensureSchema(c, this.#settings.schema);
      this.#prepared = true;
      return await c.inSnapshot(() => work(c), this.#settings.timeoutMs);
    });
  }

  async #turn<T>(subject: string, work: (c: Connection) => Promise<T>): Promise<T> {
    const turn = async (): Promise<T> => {
      this.#connection.subject = subject;
      return await work(this.#connection);
    };
    const result = this.#last.then(turn, turn);
    this.#last = result.catch(() => undefined);
    return await result;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
