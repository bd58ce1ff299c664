import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCALAR_TYPES, type ScalarType, type ValueType } from '../../definitions/types.js';
import { asStored } from '../../feast/value.js';
import { valueText } from '../../feast/value-text.js';
import type { OnlineView } from '../../providers/online/provider.js';
import { postgresOnlineProvider } from '../../providers/online/postgres/provider.js';
import { crossing, openFeast, type FeastRow, type FeastSession } from '../support/feast-postgres.js';
import { python } from '../support/python.js';
import { T0 } from './online-rows.js';

const url = process.env['DATABASE_URL'];
const SEED = Number(process.env['GRANARY_SEED'] ?? 7);
const CASES = Number(process.env['GRANARY_PROPERTY_CASES'] ?? 80);

/** A row in Granary's values. */
interface Row {
  readonly key: readonly unknown[];
  readonly values: readonly unknown[];
  readonly eventTime: bigint;
  readonly createdTime: bigint | null;
}

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
// Seconds that a datetime of Python holds.
const seconds = fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }).map((s) => s * 1_000_000n);
/** Feast's own writer fails on U+0000, and pandas on lone surrogates. */
const text = fc.string({ unit: 'binary', maxLength: 12 }).map((s) => s.replaceAll('\0', ''));
const VALUES: Record<ScalarType, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  int32: fc.integer(),
  int64,
  float32: fc.float({ noNaN: true }),
  float64: fc.double({ noNaN: true }),
  string: text,
  bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  timestamp: seconds,
};
const valueOf = (type: ValueType): fc.Arbitrary<unknown> =>
  fc.option(
    type.startsWith('list<')
      ? fc.array(VALUES[type.slice(5, -1) as ScalarType], { maxLength: 4 })
      : VALUES[type as ScalarType],
    { freq: 5 },
  );

describe.skipIf(python === undefined || url === undefined)(
  'online store postgres beside the Feast SDK (needs npm run python, DATABASE_URL)',
  () => {
    const schema = `granary_feast_${randomBytes(6).toString('hex')}`;
    const folder = mkdtempSync(join(tmpdir(), 'granary-feast-'));
    const pool = new pg.Pool({ connectionString: url, max: 2 });
    const address = url ?? 'postgresql://localhost';
    const open = (entityKeySerialization: 2 | 3 = 3) =>
      postgresOnlineProvider({ url: address, schema, entityKeySerialization });
    const provider = open();
    let feast: FeastSession;

    beforeAll(async () => {
      // Feast makes a schema for the user it is given; this one is Granary's.
      await pool.query(`CREATE SCHEMA ${schema}`);
      feast = await openFeast({ url: address, schema, project: 'shop_dev', version: 3, folder });
    });
    afterAll(async () => {
      await feast[Symbol.asyncDispose]();
      await provider.close();
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
      rmSync(folder, { recursive: true, force: true });
    });

    const view = (name: string, overrides: Partial<OnlineView> = {}): OnlineView => ({
      project: 'shop_dev',
      name,
      joinKeys: [{ name: 'user_id', type: 'int64' }],
      features: [
        { name: 'f', type: 'int64' },
        { name: 'g', type: 'string' },
      ],
      ...overrides,
    });
    const batchOf = (of: OnlineView, rows: readonly Row[]) => ({
      rows: rows.length,
      keys: of.joinKeys.map((_, i) => rows.map(({ key }) => key[i])),
      values: of.features.map((_, i) => rows.map(({ values }) => values[i])),
      eventTimes: rows.map(({ eventTime }) => eventTime),
      createdTimes: rows.map(({ createdTime }) => createdTime),
      generations: rows.map(() => 1),
    });
    const keysOf = (of: OnlineView, rows: readonly Row[]) =>
      rows.map(({ key }) => of.joinKeys.map(({ type }, i) => crossing(type, key[i])));
    const toFeast = (of: OnlineView, rows: readonly Row[]): FeastRow[] =>
      rows.map((row, at) => ({
        key: keysOf(of, rows)[at] ?? [],
        values: of.features.map(({ type }, i) => crossing(type, asStored(type, row.values[i]))),
        eventTime: String(row.eventTime),
        createdTime: row.createdTime === null ? null : String(row.createdTime),
      }));

    /** Views of every type, list, kind of key; random rows of them. */
    const everything = (name: string): OnlineView =>
      view(name, {
        joinKeys: [
          { name: 'z', type: 'string' },
          { name: 'a', type: 'int32' },
          { name: 'm', type: 'bytes' },
          { name: 't', type: 'timestamp' },
          { name: 'i', type: 'int64' },
        ],
        features: SCALAR_TYPES.flatMap((type) => [
          { name: `f_${type}`, type },
          { name: `f_list_${type}`, type: `list<${type}>` as const },
        ]),
      });
    const randomRows = (of: OnlineView, seed: number): Row[] => {
      const keyed = fc.tuple(
        text,
        fc.integer(),
        fc.uint8Array({ maxLength: 6 }),
        fc.bigInt({ min: 0n, max: 4_000_000_000n }).map((s) => s * 1_000_000n),
        int64,
      );
      const micros = fc.bigInt({ min: 1n, max: 4_000_000_000_000_000n });
      const row = fc.record({
        key: keyed,
        values: fc.tuple(...of.features.map(({ type }) => valueOf(type))),
        eventTime: micros,
        createdTime: fc.option(micros),
      });
      const rows = fc.sample(row, { numRuns: CASES, seed });
      return [...new Map(rows.map((each) => [JSON.stringify(keysOf(of, [each])), each])).values()];
    };

    describe.each([3, 2] as const)('with key serialization %i', (version) => {
      const ours = open(version);
      const of = everything(`everything_${version}`);
      let sdk: FeastSession;
      beforeAll(async () => {
        sdk = version === 3 ? feast : await feast.with(version);
      });
      afterAll(async () => {
        await ours.close();
      });

      it('ours writes random rows and Feast reads them', { timeout: 60_000 }, async () => {
        const rows = randomRows(of, SEED);
        // Before Feast has made the table: its apply then finds ours.
        await ours.prepare(of);
        expect((await ours.write(of, 1, batchOf(of, rows))).written).toBe(rows.length);
        await sdk.apply([of]);
        const columns = await sdk.read(of, keysOf(of, rows));
        const expected = of.features.map(({ type }, i) =>
          rows.map(({ values, eventTime }) => ({
            value: crossing(type, asStored(type, values[i])),
            status: 1,
            micros: String(eventTime),
          })),
        );
        of.features.forEach(({ name }, i) =>
          expect({ name, rows: columns[i] }).toEqual({ name, rows: expected[i] }),
        );
      });

      it('Feast writes random rows and ours reads them', { timeout: 60_000 }, async () => {
        const mirror = everything(`mirror_${version}`);
        const rows = randomRows(mirror, SEED + 1);
        await sdk.apply([mirror]);
        await ours.prepare(mirror);
        await sdk.write(mirror, toFeast(mirror, rows));
        const names = mirror.features.map(({ name }) => name);
        const read = await ours.read(
          mirror,
          rows.map(({ key }) => key),
          names,
        );
        expect(read).toEqual(
          rows.map(({ values, eventTime }) => ({
            values: mirror.features.map(({ type }, i) => asStored(type, values[i])),
            eventTime,
            order: undefined,
          })),
        );
        // The very rows, but for what only the writer knows.
        const table = (name: string): string => `"${schema}"."shop_dev_${name}"`;
        await ours.prepare(of);
        await ours.write(of, 1, batchOf(of, rows));
        const columns = 'entity_key, feature_name, value, value_text, vector_value, event_ts, created_ts';
        const { rows: differences } = await pool.query(
          `SELECT encode(entity_key, 'hex'), feature_name, encode(value, 'hex'), value_text FROM (SELECT ${columns} FROM ${table(mirror.name)} EXCEPT SELECT ${columns} FROM ${table(of.name)}) d LIMIT 5`,
        );
        expect(differences).toEqual([]);
      });
    });

    it('writes the texts that Feast writes', async () => {
      const numbers = [
        0, -0, 1, -1.5, 1e15, 1e16, 123456789012345680, 1e22, 1e-4, 9.9e-5, 5e-324, 1.5e-10, 1e300,
      ];
      const samples: [ValueType, unknown[]][] = [
        ['float64', [...numbers, Infinity, -Infinity, 0.1, 2 / 3]],
        ['float32', [0, -0, 3.14, 1e-5, 16777216, 1e20].map(Math.fround)],
        ['int64', [-(2n ** 63n), 0n]],
        ['int32', [-5]],
        ['bool', [true, false]],
        ['string', ['', 'żółć 🚀']],
        ['bytes', [new Uint8Array([1])]],
        ['timestamp', [T0]],
        ['list<int64>', [[1n]]],
      ];
      for (const [type, values] of samples)
        expect(await feast.text(type, [...values, null])).toEqual(
          [...values, null].map((value) => valueText(type, value)),
        );
    });

    it('reads a text with U+0000, which Feast cannot write', async () => {
      const of = view('zeros');
      await provider.prepare(of);
      await feast.apply([of]);
      const rows = [{ key: [1n], values: [1n, 'a\0b'], eventTime: T0, createdTime: null }];
      await provider.write(of, 1, batchOf(of, rows));
      expect((await feast.read(of, [['1']], ['g']))[0]?.[0]?.value).toBe('a\0b');
      await expect(feast.write(of, toFeast(of, rows))).rejects.toThrow(/NUL/);
    });

    it('shows Feast no entity where a tombstone is, and no feature of its own', async () => {
      const of = view('buried');
      await feast.apply([of]);
      await provider.prepare(of);
      const row = (id: bigint): Row => ({ key: [id], values: [id, 'x'], eventTime: T0, createdTime: null });
      await provider.write(of, 1, batchOf(of, [row(1n), row(2n)]));
      await provider.write(of, 2, batchOf(of, [row(2n)]));
      await provider.fence(of, 2);
      await provider.removeBelow(of, 2, { eventTime: T0 + 5n });
      // Whoever reads all rows of an entity finds its features and nothing else.
      const { rows: names } = await pool.query(
        `SELECT feature_name FROM ${schema}.shop_dev_buried ORDER BY feature_name`,
      );
      expect(names).toEqual([{ feature_name: 'f' }, { feature_name: 'g' }]);
      expect((await feast.read(of, [['1'], ['2']], ['f']))[0]?.map(({ status }) => status)).toEqual([3, 1]);
      // A Feast writer may bury nothing: its row counts, by its event time.
      await feast.write(of, toFeast(of, [{ ...row(1n), eventTime: T0 + 1n }]));
      expect((await provider.read(of, [[1n]], ['f']))[0]?.values).toEqual([1n]);
      const counts = await provider.write(of, 2, batchOf(of, [{ ...row(1n), eventTime: T0 + 2n }]));
      expect(counts.written).toBe(1);
    });

    it('newer wins with Feast writers in between, in every order', { timeout: 60_000 }, async () => {
      type Writer = 'feast' | 1 | 2;
      const writes = (['feast', 1, 2] as const).flatMap((writer) =>
        [1, 2, 3].map((event) => ({ writer: writer as Writer, event })),
      );
      const sequences = writes.flatMap((a) => writes.flatMap((b) => writes.map((c) => [a, b, c] as const)));
      const of = view('in_between');
      await feast.apply([of]);
      await provider.prepare(of);
      /** What is stored, and the order that ours keeps with its copy of the event time. */
      const model = sequences.map(() => ({
        event: 0,
        value: 0n,
        order: undefined as { promotion: number; event: number } | undefined,
      }));
      for (const turn of [0, 1, 2] as const) {
        const value = BigInt(turn + 1);
        for (const writer of ['feast', 1, 2] as const) {
          const rows: Row[] = [];
          let expected = 0;
          sequences.forEach((sequence, id) => {
            const { writer: who, event } = sequence[turn];
            const state = model[id];
            if (who !== writer || !state) return;
            rows.push({
              key: [BigInt(id)],
              values: [value, `by ${writer}`],
              eventTime: T0 + BigInt(event),
              createdTime: null,
            });
            const { order } = state;
            const isNewer =
              writer === 'feast' ||
              state.event === 0 ||
              (order !== undefined && writer !== order.promotion
                ? writer > order.promotion
                : event > state.event);
            if (!isNewer) return;
            expected++;
            state.event = event;
            state.value = value;
            if (writer !== 'feast') state.order = { promotion: writer, event };
          });
          if (writer === 'feast') await feast.write(of, toFeast(of, rows));
          else expect((await provider.write(of, writer, batchOf(of, rows))).written).toBe(expected);
        }
      }
      const keys = sequences.map((_, id) => [BigInt(id)]);
      const read = await provider.read(of, keys, ['f']);
      const [seen] = await feast.read(
        of,
        keysOf(
          of,
          keys.map((key) => ({ key, values: [], eventTime: 0n, createdTime: null })),
        ),
        ['f'],
      );
      sequences.forEach((sequence, id) => {
        const expected = { sequence, value: model[id]?.value, time: T0 + BigInt(model[id]?.event ?? 0) };
        expect({ sequence, value: read[id]?.values[0], time: read[id]?.eventTime }).toEqual(expected);
        expect({
          sequence,
          value: BigInt(String(seen?.[id]?.value)),
          time: BigInt(seen?.[id]?.micros ?? 0),
        }).toEqual(expected);
      });
    });

    it(
      'loses no newer row of a Feast writer at work at the same time, and mixes no entity',
      { timeout: 60_000 },
      async () => {
        const of = view('at_once');
        await feast.apply([of]);
        await provider.prepare(of);
        const ids = Array.from({ length: 400 }, (_, i) => BigInt(i));
        for (let round = 0; round < 4; round++) {
          const base = T0 + BigInt(round * 100);
          const row = (id: bigint, by: string, event: bigint): Row => ({
            key: [id],
            values: [event, by],
            eventTime: base + event,
            createdTime: null,
          });
          const shuffled = [...ids].sort((a, b) => Number((a * 7919n) % 401n) - Number((b * 7919n) % 401n));
          const theirs = feast
            .write(
              of,
              toFeast(
                of,
                shuffled.map((id) => row(id, 'feast', (id % 9n) + 1n)),
              ),
            )
            .then(
              () => true,
              (error: unknown) => {
                expect(String(error)).toMatch(/Deadlock/);
                return false;
              },
            );
          const halves = [ids.slice(0, 250), ids.slice(150)];
          const ours = halves.map((half) =>
            provider.write(
              of,
              1,
              batchOf(
                of,
                half.map((id) => row(id, 'granary', 5n)),
              ),
            ),
          );
          const [wrote] = await Promise.all([theirs, ...ours]);
          const stored = await provider.read(
            of,
            ids.map((id) => [id]),
            ['f', 'g'],
          );
          stored.forEach((found, i) => {
            const [event, by] = found?.values ?? [];
            expect(found?.eventTime).toBe(base + (event as bigint));
            expect(event).toBe(by === 'granary' ? 5n : (BigInt(i) % 9n) + 1n);
            if (wrote && (BigInt(i) % 9n) + 1n > 5n) expect(by).toBe('feast');
          });
        }
      },
    );
  },
);
