import type { Profile } from '../../definitions/profile.js';
import { listItem, type Schema } from '../../definitions/types.js';
import type { RowRule, RuleResult } from '../../definitions/validation.js';
import { duckdbOfflineProvider } from '../../providers/offline/duckdb/provider.js';
import { postgresOfflineProvider } from '../../providers/offline/postgres/provider.js';
import { OfflineFixtures, openSession, relation } from './offline-fixtures.js';
import { createWarehouse } from './warehouse.js';

/** Rows of JavaScript values, their profile, and what rules find of them. Rows are given in the order of a version: by every column, NULL first. */
export interface Profiler {
  profile(
    schema: Schema,
    rows: readonly Readonly<Record<string, unknown>>[],
    most?: number,
  ): Promise<Profile>;
  validate(
    schema: Schema,
    rows: readonly Readonly<Record<string, unknown>>[],
    rules: readonly RowRule[],
  ): Promise<readonly RuleResult[]>;
  close(): Promise<void>;
}

export async function fileProfiler(threads = 2): Promise<Profiler> {
  const fixtures = new OfflineFixtures();
  const session = await openSession(duckdbOfflineProvider(), fixtures, { threads });
  return {
    profile: async (schema, rows, most) =>
      session.profile({ name: 'the rows', schema, parquet: await fixtures.rows(schema, rows) }, most),
    validate: async (schema, rows, rules) =>
      session.validate(relation(schema, await fixtures.rows(schema, rows)), rules),
    async close() {
      await session.close();
      fixtures.remove();
    },
  };
}

export async function tableProfiler(): Promise<Profiler> {
  const warehouse = await createWarehouse();
  const provider = postgresOfflineProvider({ url: () => warehouse.url, schema: warehouse.schema });
  const session = await provider.open({ signal: new AbortController().signal });
  const place = async (
    schema: Schema,
    rows: readonly Readonly<Record<string, unknown>>[],
  ): Promise<string> => {
    const texts = rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [
          name,
          Array.isArray(value) && listItem(schema[name] ?? 'bytes') !== undefined
            ? `{${value.join(',')}}`
            : (value as string),
        ]),
      ),
    );
    return (await warehouse.place('the rows', schema, texts)).table.table;
  };
  return {
    profile: async (schema, rows, most) =>
      session.profile(await place(schema, rows), { name: 'the rows', schema, keys: [] }, most),
    validate: async (schema, rows, rules) =>
      session.validate(await place(schema, rows), { name: 'the rows', schema }, rules),
    async close() {
      await session.close();
      await provider.close();
      await warehouse.remove();
    },
  };
}
