import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import type { ScalarType, Schema } from '../../definitions/types.js';
import { runJoin, type JoinEngine, type TestJoin, type TestView } from '../support/offline-join.js';

interface FeatureformRow {
  readonly entity: string;
  readonly value: unknown;
  readonly ts: string | null;
  readonly created_order?: number;
}
interface FeatureformCase {
  readonly name: string;
  readonly kind: string;
  readonly label_rows: readonly FeatureformRow[];
  readonly features: readonly {
    readonly name: string;
    readonly rows: readonly FeatureformRow[];
    readonly has_ts_column?: boolean;
    readonly timestamp_column?: string | null;
  }[];
  readonly expected_rows: readonly { readonly features: readonly unknown[]; readonly label: unknown }[];
  /** The first feature again, so many milliseconds before. */
  readonly lags_ms?: readonly number[];
}
/** A lag case over one CSV file of one entity that has both the feature (`value`) and the label (`score`). */
interface LagCase {
  readonly name: string;
  readonly kind: string;
  readonly input_csv: string;
  readonly lags_hours: readonly number[];
  readonly expected_rows: FeatureformCase['expected_rows'];
}
interface FeastCase {
  readonly name: string;
  readonly ttlSeconds: number;
  readonly createdTimestampColumn: string | null;
  readonly sourceRows: readonly Readonly<Record<string, unknown>>[];
  readonly entityRows: readonly Readonly<Record<string, unknown>>[];
  readonly expected: { readonly duckdb: readonly Readonly<Record<string, unknown>>[] };
}

/** The training sets of other feature stores, as data, from the folder that GRANARY_CASES names. */
export function pointInTimeCases(engine: () => JoinEngine): void {
  const folder = process.env['GRANARY_CASES'];
  const load = <C>(file: string): readonly C[] => {
    const path = join(folder ?? '', 'pit', file);
    return folder !== undefined && existsSync(path)
      ? (JSON.parse(readFileSync(path, 'utf8')) as { cases: readonly C[] }).cases
      : [];
  };
  const featureform = load<FeatureformCase | LagCase>('featureform-cases.json').filter(({ kind }) =>
    ['training_set', 'training_set_lag'].includes(kind),
  );
  const feast = load<FeastCase>('feast-cases.json');

  describe.skipIf(folder === undefined)('training sets of other feature stores (GRANARY_CASES)', () => {
    it('are there', () => {
      expect(featureform.length + feast.length).toBeGreaterThan(0);
    });

    for (const given of featureform)
      it(`Featureform: ${given.name}`, async () => {
        const asked =
          'input_csv' in given
            ? csvJoin(join(folder ?? '', 'pit', given.input_csv), given)
            : featureformJoin(given);
        const { rows } = await runJoin(engine(), asked);
        const expected = given.expected_rows.map(({ features, label }) => [...features, label]);
        expect(expected.length).toBe(asked.spine.rows.length);
        expect(multiset(rows)).toEqual(multiset(expected));
      });

    for (const given of feast)
      it.skipIf(given.name === 'no created col; tie')(`Feast: ${given.name}`, async () => {
        const { rows } = await runJoin(engine(), feastJoin(given));
        const expected = given.expected.duckdb.map((row) => [
          row['k'],
          iso(row['event_timestamp']),
          row['f'] ?? row['v__f'] ?? null,
          row['label'] ?? null,
        ]);
        const found = rows.map(([k, time, ...rest]) => [
          k,
          new Timestamp(time as bigint).toString(),
          ...rest,
        ]);
        expect(multiset(found)).toEqual(multiset(expected));
      });
  });
}

const iso = (value: unknown): string => Timestamp.from(String(value)).toString();

function featureformJoin({ label_rows, features, lags_ms = [] }: FeatureformCase): TestJoin {
  const timed = label_rows.some(({ ts }) => ts !== null);
  const views = features.map(({ rows, has_ts_column, timestamp_column }): TestView => {
    const constant =
      has_ts_column === false ||
      timestamp_column === null ||
      (has_ts_column === undefined && rows.every(({ ts }) => ts === null));
    const order = { created_order: 'timestamp' } as const;
    return {
      schema: { entity: 'string', value: typeOf(rows), ts: 'timestamp', ...order },
      rows: rows.map((row) => ({
        ...row,
        // Featureform's loader makes a NULL event time 1970; in Granary such a row matches nothing.
        ts: row.ts ?? (has_ts_column === true ? new Timestamp(0n).toString() : null),
        created_order: new Timestamp(BigInt(row.created_order ?? 0)).toString(),
      })),
      on: { entity: 'entity' },
      columns: ['value'],
      ...(constant ? {} : { timestampField: 'ts', createdTimestampField: 'created_order' }),
    };
  });
  return {
    spine: {
      schema: { entity: 'string', value: typeOf(label_rows), ts: 'timestamp' },
      rows: label_rows.map((row) => ({ ...row })),
      ...(timed ? { timestampField: 'ts' } : {}),
    },
    label: 'value',
    views: [
      ...views,
      ...views.slice(0, 1).flatMap((view) => lags_ms.map((ms) => lagged(view, BigInt(ms) * 1000n))),
    ],
  };
}

/** The same rows again, earlier. */
const lagged = (view: TestView, lag: bigint): TestView => ({ ...view, rows: 0, lag });

function csvJoin(file: string, { lags_hours }: LagCase): TestJoin {
  const [head = '', ...lines] = readFileSync(file, 'utf8').trim().split(/\r?\n/);
  const names = head.split(',');
  const rows = lines.map((line) => {
    const values = line.split(',');
    const of = (name: string): string => values[names.indexOf(name)] ?? '';
    return {
      entity: 'one',
      ts: of('timestamp'),
      value: Number(of('value')),
      score: Number(of('score')),
    };
  });
  const schema = { entity: 'string', ts: 'timestamp', value: 'float64', score: 'float64' } as const;
  const view: TestView = { schema, rows, on: { entity: 'entity' }, timestampField: 'ts', columns: ['value'] };
  return {
    spine: { schema, rows, timestampField: 'ts' },
    label: 'score',
    views: [view, ...lags_hours.map((hours) => lagged(view, BigInt(hours) * 3_600_000_000n))],
  };
}

function feastJoin(given: FeastCase): TestJoin {
  const created: { createdTimestampField?: string } =
    given.createdTimestampColumn === null ? {} : { createdTimestampField: 'created' };
  return {
    spine: {
      schema: { k: 'int32', event_timestamp: 'timestamp', label: 'int32' },
      rows: given.entityRows,
      timestampField: 'event_timestamp',
    },
    columns: ['k', 'event_timestamp'],
    label: 'label',
    views: [
      {
        schema: {
          k: 'int32',
          f: 'int32',
          event_timestamp: 'timestamp',
          created: 'timestamp',
        } satisfies Schema,
        rows: given.sourceRows,
        on: { k: 'k' },
        timestampField: 'event_timestamp',
        ttl: BigInt(given.ttlSeconds) * 1_000_000n,
        columns: ['f'],
        ...created,
      },
    ],
  };
}

function typeOf(rows: readonly FeatureformRow[]): ScalarType {
  const value = rows.map((row) => row.value).find((given) => given !== null);
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' ? 'float64' : 'string';
}

function multiset(rows: readonly (readonly unknown[])[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}
