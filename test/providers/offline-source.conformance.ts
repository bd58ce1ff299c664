import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Schema } from '../../definitions/types.js';
import type { FileRelation } from '../../providers/offline/provider.js';
import { failure, rejects, relation, type OfflineSuite } from '../support/offline-fixtures.js';

const FLIGHT = { date: 'timestamp', delay: 'int64' } as const satisfies Schema;

/** Sources: what is refused, what is converted, which rows an interval holds. */
export function sourceConformance({ fixtures, session }: OfflineSuite): void {
  const good = `SELECT TIMESTAMP '2001-01-01 00:00:01' AS date, 5::BIGINT AS delay`;

  describe('inspect', () => {
    it('accepts a file with more columns than declared', async () => {
      const path = await fixtures.file(`SELECT *, 'x' AS more FROM (${good})`);
      await session().inspect(relation(FLIGHT, path, { timestampField: 'date' }));
    });

    const broken: readonly [
      what: string,
      make: () => Promise<FileRelation>,
      check: (error: unknown) => void,
    ][] = [
      [
        'an absent file',
        async () => Promise.resolve(relation(FLIGHT, fixtures.path())),
        failure('SourceMissing', 'source flights', 'source://file-', 'no such file'),
      ],
      [
        'no file at all',
        async () => Promise.resolve(relation(FLIGHT, [])),
        failure('SourceMissing', 'source flights'),
      ],
      [
        'a folder',
        async () => Promise.resolve(relation(FLIGHT, fixtures.folder)),
        failure('SourceInvalid', 'not a file'),
      ],
      [
        'a file of no bytes',
        async () => {
          const path = fixtures.path();
          await writeFile(path, '');
          return relation(FLIGHT, path);
        },
        failure('SourceEmpty', 'source flights', 'source://', 'no bytes'),
      ],
      [
        'a truncated file',
        async () => {
          const path = await fixtures.file(
            `SELECT TIMESTAMP '2001-01-01' AS date, range AS delay FROM range(10000)`,
          );
          await truncate(path, 5000);
          return relation(FLIGHT, path);
        },
        failure('SourceInvalid', 'source flights', 'source://', 'truncated or not Parquet'),
      ],
      [
        'a file of another format',
        async () => {
          const path = fixtures.path();
          await writeFile(path, 'date,delay\n2001-01-01,5\n');
          return relation(FLIGHT, path);
        },
        failure('SourceInvalid', 'not Parquet'),
      ],
      [
        'bytes that are no CSV',
        async () => {
          const path = fixtures.path('csv');
          await writeFile(path, Buffer.from([0, 1, 2, 255, 254, 10, 13, 200]));
          return relation(FLIGHT, path, { format: 'csv' });
        },
        failure('SourceInvalid', 'not CSV'),
      ],
      [
        'an undeclared timestamp field',
        async () => relation({ delay: 'int64' }, await fixtures.file(good), { timestampField: 'date' }),
        failure('MissingTimestamp', 'has no column "date"', 'timestampField'),
      ],
      [
        'a timestamp field that is declared as another type',
        async () => relation(FLIGHT, await fixtures.file(good), { timestampField: 'delay' }),
        failure('MissingTimestamp', 'declares "delay" as int64'),
      ],
      [
        'a file without the timestamp field',
        async () =>
          relation(FLIGHT, await fixtures.file(`SELECT 5::BIGINT AS delay`), { timestampField: 'date' }),
        failure('MissingTimestamp', 'no column "date"', 'timestampField', '"delay"'),
      ],
      [
        'a file whose timestamp field is a text',
        async () =>
          relation(FLIGHT, await fixtures.file(`SELECT 'x' AS date, 5::BIGINT AS delay`), {
            timestampField: 'date',
          }),
        failure('MissingTimestamp', 'date', 'VARCHAR'),
      ],
      [
        'one file of several that differs',
        async () =>
          relation(FLIGHT, [
            await fixtures.file(good),
            await fixtures.file(`SELECT TIMESTAMP '2001-01-01' AS date, 'x' AS delay`),
          ]),
        failure('SchemaMismatch', /file-\d+\.parquet/, 'delay', 'int64', 'VARCHAR', 't.string'),
      ],
      [
        'a column that differs in case only',
        async () => relation({ Delay: 'int64' }, await fixtures.file(good)),
        failure('SchemaMismatch', 'no column "Delay"', 'Did you mean "delay"'),
      ],
    ];
    it.each(broken)('refuses %s', async (_, make, check) => {
      await rejects(session().inspect(await make()), check);
    });

    const types: readonly [found: string, declared: Schema[string], fits: boolean, suggestion?: string][] = [
      ['1::TINYINT', 'int32', true],
      ['1::USMALLINT', 'int32', true],
      ['1::INTEGER', 'int64', true],
      ['1::UINTEGER', 'int64', true],
      ['1::UINTEGER', 'int32', false, 't.int64'],
      ['1::BIGINT', 'int32', false, 't.int64'],
      ['1::UBIGINT', 'int64', false, 'No declared type'],
      ['1::BIGINT', 'float64', false, 't.int64'],
      ['1::FLOAT', 'float64', true],
      ['1::DOUBLE', 'float32', false, 't.float64'],
      ['1.5::DECIMAL(9,2)', 'float64', false, 'No declared type'],
      ["'x'", 'string', true],
      ["'x'", 'bytes', false, 't.string'],
      ["'\\x01'::BLOB", 'bytes', true],
      ["'\\x01'::BLOB", 'string', false, 't.bytes'],
      ['true', 'bool', true],
      ['1::BIGINT', 'bool', false, 't.int64'],
      ["DATE '2001-01-01'", 'timestamp', true],
      ["TIMESTAMP_NS '2001-01-01'", 'timestamp', true],
      ["TIMESTAMP_MS '2001-01-01'", 'timestamp', true],
      ["TIMESTAMPTZ '2001-01-01'", 'timestamp', true],
      ['[1::INTEGER]', 'list<int64>', true],
      ['[1::BIGINT]', 'list<int32>', false, 't.list(t.int64)'],
      ['1::BIGINT', 'list<int64>', false, 't.int64'],
    ];
    it.each(types)(
      'a column of %s declared as %s: fits is %s',
      async (sql, declared, fits, suggestion = '') => {
        const source = relation({ x: declared }, await fixtures.file(`SELECT ${sql} AS x`));
        if (fits) await session().inspect(source);
        else
          await rejects(
            session().inspect(source),
            failure('SchemaMismatch', 'column "x"', declared, suggestion),
          );
      },
    );

    it.each([
      ['int64', '1.5'],
      ['int64', '9223372036854775808'],
      ['int32', '2147483648'],
      ['float64', 'abc'],
      ['bool', 'maybe'],
      ['timestamp', '2001-02-30'],
    ] as const)('refuses a CSV value that is not of type %s: %s', async (type, value) => {
      const path = fixtures.path('csv');
      await writeFile(path, `x,y\n,1\n${value},2\n`);
      await rejects(
        session().inspect(relation({ x: type }, path, { format: 'csv' })),
        failure('SchemaMismatch', 'source flights', 'source://', '"x"', type, value),
      );
    });
  });

  describe('the rows of a source', () => {
    const rowsOf = async (source: FileRelation): Promise<unknown[][]> => {
      const rows: unknown[][] = [];
      for await (const batch of session().read(source))
        for (let i = 0; i < batch.rows; i++) rows.push(batch.columns.map((column) => column[i]));
      return rows;
    };

    it.each([
      ["TIMESTAMP '1969-12-31 23:59:59.999999'", -1n],
      ["TIMESTAMP_NS '1969-12-31 23:59:59.999999999'", -1n],
      ["TIMESTAMP_NS '2001-01-01 00:00:00.000001999'", 978_307_200_000_001n],
      ["TIMESTAMP_MS '2001-01-01 00:00:00.5'", 978_307_200_500_000n],
      ["DATE '1960-01-01'", -315_619_200_000_000n],
      ["TIMESTAMPTZ '2001-01-01 09:00:00+09'", 978_307_200_000_000n],
    ])('%s is an instant in UTC with microseconds', async (sql, micros) => {
      expect(await rowsOf(relation({ x: 'timestamp' }, await fixtures.file(`SELECT ${sql} AS x`)))).toEqual([
        [micros],
      ]);
    });

    it.each(['TIMESTAMP', 'TIMESTAMPTZ', 'TIMESTAMP_NS', 'TIMESTAMP_MS', 'DATE'])(
      'from is inclusive and before exclusive on a column of %s',
      async (type) => {
        const path = await fixtures.file(
          `SELECT CAST(TIMESTAMP '2001-01-01' + INTERVAL 1 DAY * range AS ${type}) AS date, range AS delay FROM range(-3, 4)`,
        );
        const bounds = {
          timestampField: 'date',
          from: '2000-12-31T00:00:00Z',
          before: '2001-01-03T00:00:00Z',
        };
        expect((await rowsOf(relation(FLIGHT, path, bounds))).map(([, delay]) => delay)).toEqual([
          -1n,
          0n,
          1n,
        ]);
        const inside = {
          timestampField: 'date',
          from: '2000-12-31T00:00:00.000001Z',
          before: '2001-01-02T00:00:00.000001Z',
        };
        expect((await rowsOf(relation(FLIGHT, path, inside))).map(([, delay]) => delay)).toEqual([0n, 1n]);
      },
    );

    it('reads nothing of row groups outside the interval', async () => {
      const path = await fixtures.file(
        `SELECT TIMESTAMP '2001-01-01' + INTERVAL 1 MINUTE * range AS date, (hash(range) // 2)::BIGINT AS delay FROM range(8192)`,
        'FORMAT parquet, ROW_GROUP_SIZE 4096',
      );
      const [[offset = '0', size = '0'] = []] = await fixtures.query(
        `SELECT min(coalesce(dictionary_page_offset, data_page_offset)), sum(total_compressed_size) FROM parquet_metadata('${path}') WHERE row_group_id = 0`,
      );
      const file = await open(path, 'r+');
      await file.write(Buffer.alloc(Number(size), 0xff), 0, Number(size), Number(offset));
      await file.close();
      const later = relation(FLIGHT, path, { timestampField: 'date', from: '2001-01-03T20:16:00Z' });
      expect(await rowsOf(later)).toHaveLength(8192 - 4096);
      await expect(rowsOf(relation(FLIGHT, path, { timestampField: 'date' }))).rejects.toThrow(
        /source flights/,
      );
      expect((await readFile(path)).length).toBeGreaterThan(0);
    });

    it('CSV: an empty field is NULL, a quoted empty text is not, numbers and instants are exact', async () => {
      const path = fixtures.path('csv');
      await writeFile(
        path,
        's,i,f,t,b\n,9007199254740993,0.1,2001-01-01T00:00:00.123456Z,true\n"",,NaN,2001-01-01,\n"a,""b\nc",-1,1e3,2001-01-01 09:00:00+09:00,false\n',
      );
      const schema = { s: 'string', i: 'int64', f: 'float64', t: 'timestamp', b: 'bool' } as const;
      expect(await rowsOf(relation(schema, path, { format: 'csv' }))).toEqual([
        [null, 9007199254740993n, 0.1, 978_307_200_123_456n, true],
        ['', null, NaN, 978_307_200_000_000n, null],
        ['a,"b\nc', -1n, 1000, 978_307_200_000_000n, false],
      ]);
    });

    it('files of different widths are read as the declared type, in file order', async () => {
      const paths = [
        await fixtures.file('SELECT 1::TINYINT AS x'),
        await fixtures.file('SELECT 2::BIGINT AS x, 9 AS y'),
        await fixtures.file('SELECT 3::TINYINT AS x'),
      ];
      expect(await rowsOf(relation({ x: 'int64' }, paths))).toEqual([[1n], [2n], [3n]]);
      expect(await rowsOf(relation({ x: 'int64' }, []))).toEqual([]);
    });
  });
}
