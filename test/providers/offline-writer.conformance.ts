import { readFile } from 'node:fs/promises';
import * as arrow from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import type { Schema } from '../../definitions/types.js';
import type { Output, TableWriter } from '../../providers/offline/provider.js';
import { failure, rejects, type OfflineSuite } from '../support/offline-fixtures.js';

/** Rows from TypeScript: what each column takes, what is refused by row and column, parts and their sum. */
export function writerConformance({ fixtures, session }: OfflineSuite): void {
  const output = (schema: Schema, more: Partial<Output> = {}): Output => ({
    name: 'feature set x',
    schema,
    keys: [],
    parquet: fixtures.path(),
    ...more,
  });
  const writer = (to: Output): Promise<TableWriter> => session().writer(to);
  const written = async (
    to: Output,
    rows: Parameters<TableWriter['append']>[0],
  ): Promise<(string | null)[][]> => {
    const into = await writer(to);
    await into.append(rows);
    await into.finish();
    return fixtures.read(to.parquet);
  };

  describe('writer', () => {
    const values: readonly [type: Schema[string], value: unknown, expected: string | undefined][] = [
      ['int64', 9223372036854775807n, '9223372036854775807'],
      ['int64', -9223372036854775808n, '-9223372036854775808'],
      ['int64', 9007199254740991, '9007199254740991'],
      ['int64', 9007199254740992, undefined],
      ['int64', 9223372036854775808n, undefined],
      ['int64', 1.5, undefined],
      ['int64', NaN, undefined],
      ['int64', '1', undefined],
      ['int32', -2147483648, '-2147483648'],
      ['int32', 2147483648, undefined],
      ['int32', 1.5, undefined],
      ['int32', Infinity, undefined],
      ['float64', NaN, 'nan'],
      ['float64', -Infinity, '-inf'],
      ['float64', 1n, undefined],
      ['float64', '1', undefined],
      ['float32', 0.1, '0.1'],
      ['float32', Infinity, 'inf'],
      ['float32', 1e39, undefined],
      ['bool', false, 'false'],
      ['bool', 1, undefined],
      ['string', '😀\0é', '😀\0é'],
      ['string', '\ud800', undefined],
      ['string', 1, undefined],
      ['bytes', new Uint8Array([0, 255]), '\\x00\\xFF'],
      ['bytes', Buffer.from('a'), 'a'],
      ['bytes', 'a', undefined],
      ['timestamp', new Timestamp(-1n), '1969-12-31 23:59:59.999999+00'],
      ['timestamp', new Date(Date.UTC(2001, 0, 1)), '2001-01-01 00:00:00+00'],
      ['timestamp', '2001-01-01T09:00:00.123456+09:00', '2001-01-01 00:00:00.123456+00'],
      ['timestamp', new Date(NaN), undefined],
      ['timestamp', 'yesterday', undefined],
      ['timestamp', 978307200000, undefined],
      ['list<int64>', [1n, 2], '[1, 2]'],
      ['list<int64>', [], '[]'],
      ['list<int64>', [1, 1.5], undefined],
      ['list<int64>', [1, null], undefined],
      ['list<string>', ['a', 'b'], '[a, b]'],
      ['list<timestamp>', [new Timestamp(0n)], "['1970-01-01 00:00:00+00']"],
      ['list<string>', 'a', undefined],
      ['string', null, null as unknown as string],
    ];
    it.each(values)('%s takes %o as %s', async (type, value, expected) => {
      const rows = [
        { n: 1, x: null },
        { n: 2, x: value },
      ];
      const work = written(output({ n: 'int32', x: type }), rows);
      if (expected !== undefined) expect((await work)[1]?.[1]).toBe(expected);
      else await rejects(work, failure('ValueOutOfRange', 'feature set x', 'row 2', '"x"', type));
    });

    it.each([
      [
        'a column missing',
        { k: 1, t: new Date(0) },
        failure('SchemaMismatch', 'row 1', 'has no "x"', '"k", "x", "t"'),
      ],
      ['an undefined value', { k: 1, x: undefined, t: new Date(0) }, failure('SchemaMismatch', 'has no "x"')],
      [
        'an unknown column',
        { k: 1, x: 1, t: new Date(0), y: 1 },
        failure('SchemaMismatch', '"y"', 'not declared'),
      ],
      ['no event timestamp', { k: 1, x: 1 }, failure('MissingTimestamp', 'has no "t"')],
      ['a NULL event timestamp', { k: 1, x: 1, t: null }, failure('MissingTimestamp', 'row 1', '"t"')],
      ['a NULL key', { k: null, x: 1, t: new Date(0) }, failure('NullKey', 'row 1', '"k"')],
    ])('refuses %s', async (_, row, check) => {
      const to = output({ k: 'int64', x: 'int64', t: 'timestamp' }, { keys: ['k'], timestampField: 't' });
      await rejects(written(to, [row]), check);
    });

    it('refuses an output whose timestamp field is not declared', async () => {
      await rejects(
        writer(output({ k: 'int64' }, { timestampField: 't' })),
        failure('MissingTimestamp', 'has no t'),
      );
    });

    it('orders all rows by keys and then the rest, over chunks, and writes the same CSV', async () => {
      const to = output(
        { v: 'float64', k: 'int64', t: 'timestamp' },
        { keys: ['k'], timestampField: 't', csv: fixtures.path('csv') },
      );
      const into = await writer(to);
      const rows = Array.from({ length: 5000 }, (_, i) => ({
        k: BigInt((i * 7919) % 5000),
        v: i / 4,
        t: new Date(i),
      }));
      await into.append(rows.slice(0, 3));
      await into.append(rows.slice(3));
      expect(await into.finish()).toEqual({
        rows: 5000,
        eventTimes: { min: '1970-01-01T00:00:00Z', max: '1970-01-01T00:00:04.999Z' },
      });
      expect((await fixtures.read(to.parquet)).map(([, k]) => Number(k))).toEqual(rows.map((_, i) => i));
      expect((await readFile(to.csv ?? '', 'utf8')).split('\n').slice(0, 2)).toEqual([
        'v,k,t',
        '0.0,0,1970-01-01T00:00:00Z',
      ]);
    });

    it('flushes parts, takes parts of an earlier attempt, and the bytes are those of one whole', async () => {
      const schema = { k: 'int64', s: 'string' } as const;
      const rows = Array.from({ length: 6000 }, (_, i) => ({ k: i % 700, s: `s${i}` }));
      const whole = output(schema, { keys: ['k'] });
      await written(whole, rows);
      const [first, second] = [fixtures.path(), fixtures.path()];
      const crashed = await writer(output(schema, { keys: ['k'] }));
      await crashed.append(rows.slice(0, 2500));
      expect(await crashed.flush(first)).toBe(2500);
      const again = output(schema, { keys: ['k'] });
      const resumed = await writer(again);
      await resumed.appendParquet(first);
      await resumed.append(rows.slice(2500, 4000));
      expect(await resumed.flush(second)).toBe(1500);
      await resumed.append(rows.slice(4000));
      expect(await resumed.finish()).toEqual({ rows: 6000 });
      expect((await readFile(again.parquet)).equals(await readFile(whole.parquet))).toBe(true);
    });

    it('writes an output without rows, and names a part that is gone', async () => {
      const to = output({ k: 'int64' });
      expect(await (await writer(to)).finish()).toEqual({ rows: 0 });
      expect(await fixtures.read(to.parquet)).toEqual([]);
      await rejects(
        (await writer(output({ k: 'int64' }))).appendParquet('/nowhere/part.parquet'),
        failure('SourceMissing', 'part.parquet'),
      );
    });
  });

  describe('writer, from Arrow', () => {
    const micros = arrow.makeVector(
      arrow.makeData({
        type: new arrow.TimestampMicrosecond('UTC'),
        data: BigInt64Array.of(-1n, 978307200123456n),
      }),
    );
    const nanos = arrow.makeVector(
      arrow.makeData({ type: new arrow.TimestampNanosecond(), data: BigInt64Array.of(-1n, 1999n) }),
    );
    const of = (type: arrow.DataType, data: readonly unknown[]): arrow.Vector =>
      arrow.vectorFromArray(data, type);
    const columns: readonly [
      what: string,
      declared: Schema[string],
      vector: arrow.Vector,
      expected: readonly (string | null)[],
    ][] = [
      ['Int8', 'int32', of(new arrow.Int8(), [-1, null]), ['-1', null]],
      ['Uint32', 'int64', of(new arrow.Uint32(), [4294967295, 0]), ['4294967295', '0']],
      ['Int64', 'int64', of(new arrow.Int64(), [9223372036854775807n, null]), ['9223372036854775807', null]],
      ['Float32', 'float64', of(new arrow.Float32(), [0.5, NaN]), ['0.5', 'nan']],
      ['Float64', 'float32', of(new arrow.Float64(), [0.5, null]), ['0.5', null]],
      ['Bool', 'bool', of(new arrow.Bool(), [true, null]), ['true', null]],
      ['Utf8', 'string', of(new arrow.Utf8(), ['é', null]), ['é', null]],
      [
        'Dictionary',
        'string',
        of(new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()), ['a', 'a']),
        ['a', 'a'],
      ],
      ['Binary', 'bytes', of(new arrow.Binary(), [new Uint8Array([1]), null]), ['\\x01', null]],
      [
        'TimestampMicrosecond',
        'timestamp',
        micros,
        ['1969-12-31 23:59:59.999999+00', '2001-01-01 00:00:00.123456+00'],
      ],
      [
        'TimestampNanosecond',
        'timestamp',
        nanos,
        ['1969-12-31 23:59:59.999999+00', '1970-01-01 00:00:00.000001+00'],
      ],
      [
        'TimestampMillisecond',
        'timestamp',
        of(new arrow.TimestampMillisecond(), [new Date(5), null]),
        ['1970-01-01 00:00:00.005+00', null],
      ],
      [
        'DateDay',
        'timestamp',
        of(new arrow.DateDay(), [new Date(86400000), null]),
        ['1970-01-02 00:00:00+00', null],
      ],
      [
        'List',
        'list<int64>',
        of(new arrow.List(new arrow.Field('item', new arrow.Int64())), [[1n, 2n], null]),
        ['[1, 2]', null],
      ],
    ];
    it.each(columns)('%s as %s', async (_, declared, vector, expected) => {
      const table = new arrow.Table({ n: arrow.vectorFromArray([1, 2], new arrow.Int32()), x: vector });
      const schema = { n: 'int32', x: declared } as const;
      expect((await written(output(schema), table)).map(([, x]) => x)).toEqual(expected);
      // A slice keeps an offset into the same buffers.
      const [batch] = table.slice(1, 2).batches;
      if (batch) expect((await written(output(schema), batch)).map(([, x]) => x)).toEqual([expected[1]]);
    });

    it.each([
      ['int64', of(new arrow.Float64(), [1]), failure('SchemaMismatch', '"x"', 'int64', 'Float64')],
      [
        'int32',
        of(new arrow.Int64(), [2147483648n]),
        failure('ValueOutOfRange', 'row 1', '"x"', 'int32', '2147483648'),
      ],
      ['int64', of(new arrow.Uint64(), [18446744073709551615n]), failure('ValueOutOfRange', 'row 1', '"x"')],
      ['string', of(new arrow.Binary(), [new Uint8Array([1])]), failure('SchemaMismatch', 'Binary')],
    ] as const)('refuses for %s a batch that does not fit', async (declared, vector, check) => {
      await rejects(written(output({ x: declared }), new arrow.Table({ x: vector })), check);
    });

    it('refuses a batch with other columns', async () => {
      const table = new arrow.Table({ y: of(new arrow.Int64(), [1n]) });
      await rejects(written(output({ x: 'int64' }), table), failure('SchemaMismatch', 'has no "x"', '"y"'));
    });
  });
}
