import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../definitions/compile.js';
import shop from '../../template/granary.js';
import { readCaseFile } from '../../testing/case-file.js';
import { compareRows } from '../../testing/compare-rows.js';
import { csvCell, csvCells } from '../../testing/csv.js';
import { runCase, testedResource } from '../../testing/run-cases.js';
import { fromCell, fromJson, same, toJson } from '../../testing/row-values.js';
import { Timestamp, t } from '../../definitions/index.js';
import { granary } from '../support/granary-command.js';

describe('CSV', () => {
  it.each([
    [
      'plain cells',
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'no line break at the end',
      'a,b\n1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'an empty cell as NULL, a quoted one as a text',
      'a,b\n,""\n',
      [
        ['a', 'b'],
        [null, ''],
      ],
    ],
    [
      'an empty cell at the very end',
      'a,b\n1,',
      [
        ['a', 'b'],
        ['1', null],
      ],
    ],
    ['commas, quotes and line breaks in quotes', 'a\n"x, ""y""\nz"\n', [['a'], ['x, "y"\nz']]],
    [
      'Windows line ends and a byte order mark',
      '\uFEFFa,b\r\n1,2\r\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    ['no empty lines', 'a\n\n1\n\n', [['a'], ['1']]],
  ])('has %s', (_, text, cells) => {
    expect(csvCells('x.csv', text)).toEqual(cells);
  });
  it.each(['a\n"x', 'a\nx"y'])('names the line of a quote that is not closed', (text) => {
    expect(() => csvCells('x.csv', text)).toThrow(/x\.csv, line 2: a quote/);
  });
  it.each([null, '', 'x', 'a,b', '"', 'two\nlines'])('writes %j so that it is read back', (value) => {
    expect(csvCells('x.csv', `a,b\n1,${csvCell(value)}\n`)[1]).toEqual(['1', value]);
  });
});

describe('values of test files', () => {
  const big = 2n ** 62n + 1n;
  it.each([
    ['int64', 5, 5n],
    ['int64', String(big), big],
    ['float64', 'NaN', NaN],
    ['float64', '-Infinity', -Infinity],
    ['bytes', 'AAH/', new Uint8Array([0, 1, 255])],
    ['list<int64>', [1, String(big)], [1n, big]],
    ['string', '5', '5'],
    ['bool', null, null],
  ] as const)('%s reads %j', (type, json, value) => {
    expect(fromJson(json, type)).toEqual(value);
    expect(fromJson(toJson(value), type)).toEqual(value);
  });
  it.each([
    ['int64', '9007199254740993', 9007199254740993n],
    ['float64', '1e3', 1000],
    ['int32', '-7', -7],
    ['bool', 'TRUE', true],
    ['string', '1', '1'],
    ['list<int32>', '[1,2]', [1, 2]],
    ['float64', 'x', 'x'],
  ] as const)('%s reads the cell %j', (type, cell, value) => {
    expect(fromCell(cell, type)).toEqual(value);
  });
  it.each([
    ['float64', 10.35, 10.350000000000001, true],
    ['float64', 10.35, 10.3501, false],
    ['float64', Infinity, 1, false],
    ['float64', NaN, NaN, true],
    ['float64', null, 0, false],
    ['int64', 1n, 2n, false],
    ['timestamp', '2026-01-01', Timestamp.from('2026-01-01T00:00:00Z'), true],
    ['timestamp', 'soon', Timestamp.from('2026-01-01'), false],
    ['bytes', 'x', new Uint8Array(), false],
    ['list<float64>', [1, 2], [1, 2], true],
    ['list<float64>', [1, 2], [1], false],
  ] as const)('of %s: %s and %s', (type, a, b, equal) => {
    expect(same(a, b, type)).toBe(equal);
  });
});

describe('rows that are compared', () => {
  const shape = { schema: { id: t.int64, at: t.timestamp, n: t.int64 }, keys: ['id'], timestampField: 'at' };
  const row = (id: bigint, day: number, n: bigint) => ({ id, at: Timestamp.from(`2026-01-0${day}`), n });
  it('are paired by key and time, then by key, so that a difference names its columns', () => {
    const expected = [row(1n, 1, 5n), row(1n, 2, 6n), row(2n, 1, 7n), row(3n, 1, 8n)];
    const got = [row(4n, 1, 9n), row(1n, 2, 60n), row(1n, 1, 5n), row(2n, 3, 7n)];
    expect(compareRows(expected, got, shape)).toMatchObject([
      { kind: 'differs', key: { id: 1n }, columns: [{ name: 'n', expected: 6n, got: 60n }] },
      { kind: 'differs', key: { id: 2n }, columns: [{ name: 'at' }] },
      { kind: 'missing', row: { id: 3n } },
      { kind: 'unexpected', row: { id: 4n } },
    ]);
  });
  it('may leave out columns, come in any order, and occur twice', () => {
    expect(compareRows([{ id: 2n }, { id: 1n, n: 5n }], [row(1n, 1, 5n), row(2n, 1, 6n)], shape)).toEqual([]);
    expect(compareRows([row(1n, 1, 5n)], [row(1n, 1, 5n), row(1n, 1, 5n)], shape)).toMatchObject([
      { kind: 'unexpected' },
    ]);
  });
});

describe('granary test', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'granary-cases-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const project = ['--project', 'template/granary.ts'];
  const day = { from: '2026-03-10', to: '2026-03-11' };
  const order = { user_id: 1, ordered_at: '2026-03-10T12:00:00Z', amount: 2.5 };
  const written = async (name: string, ...cases: object[]): Promise<string> => {
    const path = join(folder, `${name}.test.json`);
    await writeFile(path, JSON.stringify({ definition: 'user_spending', cases }));
    return path;
  };
  const sums = (expected: unknown, more: object = {}) => ({
    ...{ name: 'sums', ...day, inputs: { orders: [order] }, expected },
    ...more,
  });

  it('passes the tests of a new project', async () => {
    const { status, stdout } = await granary({}, 'test', 'template/tests', '--json', ...project);
    expect(JSON.parse(stdout)).toMatchObject({
      passed: 3,
      failed: 0,
      cases: [{ state: 'passed' }, { state: 'passed' }, { state: 'passed' }],
    });
    expect(status).toBe(0);
  });

  it('shows what differs, and ends with 1', async () => {
    const path = await written(
      'wrong',
      sums([{ user_id: 1, orders_7d: 2 }, { user_id: 7 }]),
      sums([], { name: 'none' }),
      { ...sums(undefined), name: 'fails', inputs: { orders: [{ ...order, amount: -1 }] } },
      { ...sums(undefined), name: 'should fail', error: 'NullKey' },
    );
    const { status, stdout } = await granary({}, 'test', path, ...project);
    expect(status).toBe(1);
    for (const line of [
      'differs     user_id=1',
      'orders_7d: expected 2, got 1',
      'missing     user_id=7',
      'unexpected  user_id=1 event_timestamp=2026-03-11T00:00:00Z orders_7d=1 amount_7d=2.5',
      'user_spending: amount_7d: 1 of 1 row is outside [0, inf) [ValidationFailed]',
      'expected the error "NullKey", got 1 row',
      '0 passed, 4 failed',
    ])
      expect(stdout).toContain(line);
  });

  it('writes what is expected when told to, into the case or into its file, and then passes', async () => {
    await writeFile(join(folder, 'rows.csv'), 'user_id\n9\n');
    const path = await written('new', sums(undefined), sums('rows.csv', { name: 'in a file' }));
    expect((await granary({}, 'test', path, '--update', ...project)).stdout).toContain(
      '0 passed, 2 updated in',
    );
    expect(await readFile(path, 'utf8')).toContain(
      '{ "user_id": 1, "event_timestamp": "2026-03-11T00:00:00Z", "orders_7d": 1, "amount_7d": 2.5 }\n',
    );
    expect(await readFile(join(folder, 'rows.csv'), 'utf8')).toBe(
      'user_id,event_timestamp,orders_7d,amount_7d\n1,2026-03-11T00:00:00Z,1,2.5\n',
    );
    expect((await granary({}, 'test', path, ...project)).status).toBe(0);
  });

  it.each([
    [
      'granary.ts',
      'export default defineProject({});',
      /granary\.ts: it is not JSON: .*granary test takes files of tests \(\*\.test\.json\).* --project\. A file of tests is: \{ "definition"/,
    ],
    ['cut.test.json', '{ "definition": ', /it is not JSON: .*\. Correct it\. A file of tests is: /],
  ])('says of a file that is no JSON what it takes: %s', async (name, content, message) => {
    const path = join(folder, name);
    await writeFile(path, content);
    await expect(readCaseFile(path)).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringMatching(message) as unknown,
    });
  });

  it.each([
    [
      'a definition that is not there',
      { definition: 'user_spendin', cases: [sums([])] },
      /Did you mean "user_spending"/,
    ],
    [
      'a field that is not known',
      { definition: 'user_spending', cases: [sums([], { expect: 1 })] },
      /"expect" is not known/,
    ],
    ['no name', { definition: 'user_spending', cases: [{}] }, /case 1: it has no "name"/],
    [
      'an input that is none',
      { definition: 'user_spending', cases: [sums([], { inputs: { order: [] } })] },
      /has no input "order".*Did you mean "orders"/,
    ],
    [
      'a column that is none',
      { definition: 'user_spending', cases: [sums([{ user: 1 }])] },
      /no column "user"/,
    ],
    [
      'rows and an error',
      { definition: 'user_spending', cases: [sums([], { error: 'NullKey' })] },
      /not both/,
    ],
    [
      'no interval where the SQL uses it',
      { definition: 'user_spending', cases: [{ name: 'x', inputs: { orders: [] }, expected: [] }] },
      /uses the interval/,
    ],
    ['no cases', { definition: 'user_spending' }, /no "cases"/],
  ])('refuses %s by name', async (_, content, message) => {
    const path = join(folder, 'refused.json');
    await writeFile(path, JSON.stringify(content));
    const run = async (): Promise<void> => {
      const file = await readCaseFile(path);
      const compiled = compile(shop);
      for (const test of file.cases) await runCase(compiled, testedResource(compiled, file), file, test);
    };
    await expect(run()).rejects.toThrow(message);
  });
});
