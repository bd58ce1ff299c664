import { GranaryError } from '../../../definitions/errors.js';
import type { Profile } from '../../../definitions/profile.js';
import type { RowRule, RuleResult } from '../../../definitions/validation.js';
import type { ColumnBatch } from '../../columns.js';
import type {
  CopyRequest,
  FileRelation,
  FoundColumns,
  DescribedColumn,
  JoinStatistics,
  NewestRequest,
  OfflineSession,
  Output,
  PointInTimeJoin,
  QueryRequest,
  SessionOptions,
  StagedShard,
  TableWriter,
  WrittenFile,
  WrittenTable,
} from '../provider.js';
import type { Connection } from './connection.js';
import { copyRows } from './copy.js';
import { columnsOf, describeFile } from './describe.js';
import { threadsDoNotMatter } from './determinism.js';
import { Engine } from './engine.js';
import { inspectCsvValues } from './inspect.js';
import { joinInTime } from './point-in-time-join.js';
import { profileFile } from './profile.js';
import { runQuery } from './query.js';
import { readColumns, type ReadOptions } from './read.js';
import { relationSql } from './relation-sql.js';
import { stageNewestRows } from './stage-newest.js';
import { DuckdbTableWriter } from './table-writer.js';
import { validateRows } from './validate.js';

/** One DuckDB instance behind the offline interface. Heavy calls take turns; reads run beside them. */
export class DuckdbSession implements OfflineSession {
  readonly #engine: Engine;

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  static async open(options: SessionOptions): Promise<DuckdbSession> {
    return new DuckdbSession(await Engine.open(options));
  }

  async inspect(relation: FileRelation): Promise<void> {
    if (relation.files.length === 0)
      throw new GranaryError(
        'SourceMissing',
        `${relation.name} has no files. Check its path, or produce its data first.`,
      );
    await this.#engine.with(`Reading ${relation.name}`, async (c) => {
      const select = await relationSql(c, relation);
      if (relation.format === 'csv') await inspectCsvValues(c, relation, select);
    });
  }

  describe(relation: FileRelation): Promise<readonly DescribedColumn[]> {
    return this.#engine.with(`Reading ${relation.name}`, (c) => describeFile(c, relation));
  }

  copy(relation: FileRelation, request: CopyRequest): Promise<WrittenTable> {
    return this.#heavy(`Copying ${relation.name}`, (c) => copyRows(c, relation, request));
  }

  query(request: QueryRequest): Promise<WrittenTable> {
    return this.#engine.alone(async (threads) => {
      await threads(request.deterministic && !threadsDoNotMatter(request) ? 1 : undefined);
      return this.#engine.with(`The query of ${request.output.name}`, (c) => runQuery(c, request));
    });
  }

  async writer(output: Output): Promise<TableWriter> {
    return DuckdbTableWriter.open(this.#engine, output);
  }

  pointInTimeJoin(request: PointInTimeJoin): Promise<JoinStatistics> {
    return this.#heavy(`The point-in-time join of ${request.output.name}`, (c) => joinInTime(c, request));
  }

  stageNewest(request: NewestRequest): Promise<readonly StagedShard[]> {
    return this.#heavy(`Staging ${request.name}`, (c) => stageNewestRows(c, request));
  }

  validate(relation: FileRelation, rules: readonly RowRule[]): Promise<readonly RuleResult[]> {
    return this.#heavy(`Validating ${relation.name}`, (c) => validateRows(c, relation, rules));
  }

  profile(written: WrittenFile, most?: number): Promise<Profile> {
    return this.#heavy(`Profiling ${written.name}`, (c) => profileFile(c, written, most));
  }

  columns(relation: FileRelation): Promise<FoundColumns> {
    return this.#engine.with(`Reading ${relation.name}`, (c) => columnsOf(c, relation));
  }

  read(relation: FileRelation, options: ReadOptions = {}): AsyncIterable<ColumnBatch> {
    return readColumns(this.#engine, relation, options);
  }

  #heavy<T>(subject: string, work: (c: Connection) => Promise<T>): Promise<T> {
    return this.#engine.alone(async (threads) => {
      await threads();
      return this.#engine.with(subject, work);
    });
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
