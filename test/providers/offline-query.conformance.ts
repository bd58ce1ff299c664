import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Schema } from '../../definitions/types.js';
import type { FileRelation, Output, WrittenTable } from '../../providers/offline/provider.js';
import { failure, rejects, relation, type OfflineSuite } from '../support/offline-fixtures.js';

interface Query {
  readonly sql: string;
  readonly schema: Schema;
  readonly keys?: readonly string[];
  readonly timestampField?: string;
  readonly inputs?: Readonly<Record<string, FileRelation>>;
  readonly csv?: string;
  readonly deterministic?: boolean;
}

/** Queries: what comes out, in which order, and what is refused. */
export function queryConformance(suite: OfflineSuite): void {
  const { fixtures } = suite;
  const run = async (
    query: Query,
    session = suite.session(),
  ): Promise<{ written: WrittenTable; parquet: string }> => {
    const { sql, schema, keys = [], timestampField, inputs = {}, csv, deterministic = true } = query;
    const parquet = fixtures.path();
    const output: Output = {
      name: 'feature set x',
      schema,
      keys,
      parquet,
      ...(timestampField === undefined ? {} : { timestampField }),
      ...(csv === undefined ? {} : { csv }),
    };
    return { written: await session.query({ sql, inputs, output, deterministic }), parquet };
  };

  describe('query', () => {
    it('orders rows by keys, then every other column, NULL first, NaN last, texts by their bytes', async () => {
      const { parquet, written } = await run({
        sql: `SELECT s, k, f FROM (VALUES ('b',1,1.0),('a',2,'nan'::DOUBLE),('a',2,NULL),('a',2,'inf'::DOUBLE),('a',2,-1.0),(NULL,2,0.0),('Z',2,0.0),('é',2,0.0),('😀',2,0.0),('￿',2,0.0)) t(s,k,f)`,
        schema: { s: 'string', f: 'float64', k: 'int32' },
        keys: ['k'],
      });
      expect(written).toEqual({ rows: 10 });
      expect((await fixtures.read(parquet)).map((row) => row.join(' '))).toEqual([
        'b 1.0 1',
        ' 0.0 2',
        'Z 0.0 2',
        'a  2',
        'a -1.0 2',
        'a inf 2',
        'a nan 2',
        'é 0.0 2',
        '￿ 0.0 2',
        '😀 0.0 2',
      ]);
    });

    it('gives the range of event times in UTC, and none without rows', async () => {
      const schema = { k: 'int64', event_timestamp: 'timestamp' } as const;
      const query = { schema, keys: ['k'], timestampField: 'event_timestamp' };
      const two = await run({
        ...query,
        sql: `SELECT 1 AS k, TIMESTAMP '1969-12-31 23:59:59.999999' AS event_timestamp UNION ALL SELECT 2, TIMESTAMP '2001-01-01'`,
      });
      expect(two.written).toEqual({
        rows: 2,
        eventTimes: { min: '1969-12-31T23:59:59.999999Z', max: '2001-01-01T00:00:00Z' },
      });
      const none = await run({
        ...query,
        sql: `SELECT 1 AS k, TIMESTAMP '2001-01-01' AS event_timestamp WHERE false`,
      });
      expect(none.written).toEqual({ rows: 0 });
    });

    it('writes Parquet for everybody: zstd, instants in microseconds, adjusted to UTC', async () => {
      const { parquet } = await run({
        sql: `SELECT TIMESTAMP '2001-01-01' AS t, 1 AS x`,
        schema: { t: 'timestamp', x: 'int64' },
      });
      const [[logical] = []] = await fixtures.query(
        `SELECT logical_type FROM parquet_schema('${parquet}') WHERE name = 't'`,
      );
      expect(logical).toMatch(/isAdjustedToUTC=1.*MICROS=MicroSeconds/);
      expect(await fixtures.query(`SELECT DISTINCT compression FROM parquet_metadata('${parquet}')`)).toEqual(
        [['ZSTD']],
      );
    });

    it('writes the same rows as CSV: header, ISO instants with Z, NULL empty, shortest floats', async () => {
      const csv = fixtures.path('csv');
      await run({
        sql: `SELECT * FROM (VALUES ('a"b,c', 9007199254740993, 0.1::FLOAT, 0.1::DOUBLE, TIMESTAMP '2001-01-01 00:00:00.5', true), ('', NULL, 'nan', 1e22, TIMESTAMP '1969-12-31', false), (NULL, -1, '-inf', '-0.0'::DOUBLE, NULL, NULL)) t(s, i, f, d, t, b)`,
        schema: { s: 'string', i: 'int64', f: 'float32', d: 'float64', t: 'timestamp', b: 'bool' },
        csv,
      });
      expect(await readFile(csv, 'utf8')).toBe(
        's,i,f,d,t,b\n,-1,-inf,0.0,,\n"",,nan,1e+22,1969-12-31T00:00:00Z,false\n"a""b,c",9007199254740993,0.1,0.1,2001-01-01T00:00:00.5Z,true\n',
      );
    });

    it('reads inputs by quoted names with dots, with declared columns only, filtered by their interval', async () => {
      const path = await fixtures.file(
        `SELECT TIMESTAMP '2001-01-01' + INTERVAL 1 HOUR * range AS date, range AS delay, 'x' AS more FROM range(48)`,
      );
      const flights = relation({ date: 'timestamp', delay: 'int64' }, path, {
        timestampField: 'date',
        from: '2001-01-02',
        before: '2001-01-02T02:00:00Z',
      });
      const { parquet } = await run({
        sql: 'SELECT sum(delay) AS total FROM "flights.raw-v1"',
        inputs: { 'flights.raw-v1': flights },
        schema: { total: 'int64' },
      });
      expect(await fixtures.read(parquet)).toEqual([['49']]);
      await rejects(
        run({
          sql: 'SELECT more FROM "flights.raw-v1"',
          inputs: { 'flights.raw-v1': flights },
          schema: { more: 'string' },
        }),
        failure('QueryFailed', 'feature set x', 'more'),
      );
    });

    const values: readonly [
      sql: string,
      type: Schema[string],
      expected: string | ((error: unknown) => void),
    ][] = [
      ['sum(1::BIGINT)', 'int64', '1'],
      [
        '170141183460469231731687303715884105727::HUGEINT',
        'int64',
        failure('ValueOutOfRange', '"x"', 'int64', '170141183460469231731687303715884105727'),
      ],
      ['9223372036854775808::HUGEINT', 'int64', failure('ValueOutOfRange', '9223372036854775808')],
      ['-9223372036854775808::HUGEINT', 'int64', '-9223372036854775808'],
      ['18446744073709551615::UBIGINT', 'int64', failure('ValueOutOfRange', '18446744073709551615')],
      ['2147483648::BIGINT', 'int32', failure('ValueOutOfRange', '"x"', 'int32', '2147483648', 't.int64')],
      ['-2147483648::BIGINT', 'int32', '-2147483648'],
      ['12.00::DECIMAL(9,2)', 'int64', '12'],
      ['12.50::DECIMAL(9,2)', 'int64', failure('ValueOutOfRange', '12.50')],
      ['12.5::DOUBLE', 'int64', failure('SchemaMismatch', '"x"', 'int64', 'DOUBLE', 'CAST')],
      ["'12'", 'int64', failure('SchemaMismatch', 'VARCHAR', 'CAST')],
      ['1::BIGINT', 'bool', failure('SchemaMismatch', 'BIGINT')],
      ['1::BIGINT', 'string', failure('SchemaMismatch', 'BIGINT')],
      ['12.50::DECIMAL(9,2)', 'float64', '12.5'],
      ['3::BIGINT', 'float64', '3.0'],
      ['1e39::DOUBLE', 'float32', failure('ValueOutOfRange', '"x"', 'float32', '1e+39')],
      ["'nan'::DOUBLE", 'float32', 'nan'],
      ["'-inf'::DOUBLE", 'float32', '-inf'],
      ["'inf'::DOUBLE", 'float64', 'inf'],
      ['0.1::DOUBLE', 'float32', '0.1'],
      ["DATE '2001-01-01'", 'timestamp', '2001-01-01 00:00:00+00'],
      ["TIMESTAMPTZ '2001-01-01 09:00:00+09'", 'timestamp', '2001-01-01 00:00:00+00'],
      ["TIMESTAMPTZ 'infinity'", 'timestamp', failure('ValueOutOfRange', 'infinity')],
      ["'\\x00\\xFF'::BLOB", 'bytes', '\\x00\\xFF'],
      ['[1::BIGINT, 2]', 'list<int32>', '[1, 2]'],
      ['[2147483648]', 'list<int32>', failure('ValueOutOfRange', '[2147483648]')],
      ["['a', 'b']", 'list<string>', '[a, b]'],
      ["CAST('nan'::DOUBLE AS BIGINT)", 'int64', failure('ValueOutOfRange', 'nan')],
      [
        '9223372036854775807::BIGINT + 1::BIGINT',
        'int64',
        failure('ValueOutOfRange', 'feature set x', 'Overflow'),
      ],
      ["CAST('abc' AS BIGINT)", 'int64', failure('QueryFailed', 'feature set x', 'abc')],
    ];
    it.each(values)('%s as %s', async (sql, type, expected) => {
      const result = run({ sql: `SELECT ${sql} AS x`, schema: { x: type } });
      if (typeof expected === 'function') await rejects(result, expected);
      else expect(await fixtures.read((await result).parquet)).toEqual([[expected]]);
    });

    const refused: readonly [what: string, query: Query, check: (error: unknown) => void][] = [
      [
        'a missing and an extra column',
        { sql: 'SELECT 1 AS a, 2 AS b', schema: { a: 'int64', c: 'int64' } },
        failure('SchemaMismatch', 'missing "c"', 'not declared "b"', '"a", "c"', '"a", "b"'),
      ],
      [
        'two columns of one name',
        { sql: 'SELECT 1 AS a, 2 AS a', schema: { a: 'int64' } },
        failure('SchemaMismatch', 'two columns "a"'),
      ],
      [
        'no event timestamp',
        {
          sql: 'SELECT 1 AS k',
          schema: { k: 'int64', event_timestamp: 'timestamp' },
          timestampField: 'event_timestamp',
        },
        failure('MissingTimestamp', 'has no event_timestamp', "select the interval's end"),
      ],
      [
        'a NULL event timestamp',
        {
          sql: 'SELECT range AS k, CASE WHEN range > 0 THEN NULL ELSE make_timestamp(0) END AS event_timestamp FROM range(3)',
          schema: { k: 'int64', event_timestamp: 'timestamp' },
          timestampField: 'event_timestamp',
        },
        failure('MissingTimestamp', 'event_timestamp', 'NULL in 2 rows'),
      ],
      [
        'a NULL key',
        {
          sql: 'SELECT CASE WHEN range > 0 THEN NULL ELSE 1 END AS k, 1 AS v FROM range(4)',
          schema: { k: 'int64', v: 'int64' },
          keys: ['k'],
        },
        failure('NullKey', '"k"', '3 rows'),
      ],
      [
        'SQL that is wrong',
        { sql: 'SELEC 1 AS k', schema: { k: 'int64' } },
        failure('QueryFailed', 'feature set x', 'SELEC'),
      ],
      [
        'a table that is not there',
        { sql: 'SELECT * FROM nowhere', schema: { k: 'int64' } },
        failure('QueryFailed', 'feature set x', 'nowhere'),
      ],
      [
        'two statements',
        { sql: 'SELECT 1 AS k; SELECT 2 AS k', schema: { k: 'int64' } },
        failure('QueryFailed', 'feature set x', 'one SELECT'),
      ],
      [
        'a statement that changes something',
        { sql: 'CREATE TABLE k AS SELECT 1', schema: { k: 'int64' } },
        failure('QueryFailed', 'feature set x', 'one SELECT'),
      ],
      [
        'an input without its file',
        {
          sql: 'SELECT * FROM i',
          schema: { k: 'int64' },
          inputs: { i: relation({ k: 'int64' }, '/nowhere/x.parquet') },
        },
        failure('SourceMissing', 'source flights'),
      ],
    ];
    it.each(refused)('refuses %s', async (_, query, check) => {
      await rejects(run(query), check);
    });

    it.each([
      'WITH a AS (SELECT 1 AS k) SELECT k FROM a',
      'FROM (SELECT 1 AS k)',
      'SELECT 1 AS k -- the end',
      'SELECT 1 AS k;',
    ])('takes %s', async (sql) => {
      expect(await fixtures.read((await run({ sql, schema: { k: 'int64' } })).parquet)).toEqual([['1']]);
    });
  });
}
