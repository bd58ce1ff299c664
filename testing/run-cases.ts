import { dirname, extname, resolve } from 'node:path';
import type { CompiledProject } from '../definitions/compile.js';
import { isKind, isRaw, orderedSchema, type Resource } from '../definitions/contract.js';
import { GranaryError } from '../definitions/errors.js';
import { isAllTime } from '../definitions/interval.js';
import { didYouMean } from '../definitions/names.js';
import type { Row, Schema } from '../definitions/types.js';
import { parsedJson, text, type CaseFile, type GivenRows, type TestCase } from './case-file.js';
import { compareRows, type RowDifference } from './compare-rows.js';
import { csvCells } from './csv.js';
import { fromCell, fromJson } from './row-values.js';
import { runResource } from './run-source.js';

/** How a case ended. */
export interface CaseOutcome {
  readonly file: string;
  readonly name: string;
  readonly milliseconds: number;
  /** Why it failed; undefined where it passed. */
  readonly failure: CaseFailure | undefined;
  /** The rows that were made, where the run came so far. */
  readonly rows: readonly Row[] | undefined;
  readonly schema: Schema;
}

export type CaseFailure =
  | { readonly kind: 'rows'; readonly differences: readonly RowDifference[] }
  /** The case has no expected rows yet. */
  | { readonly kind: 'unwritten' }
  | { readonly kind: 'error'; readonly message: string };

/** The feature set or transformation that a file tests. @throws GranaryError `UnknownResource`, `InvalidInput`. */
export function testedResource(project: CompiledProject, file: CaseFile): Resource<'source'> {
  const built = [...project.resources.values()].filter(
    (resource): resource is Resource<'source'> => isKind(resource, 'source') && !isRaw(resource.spec),
  );
  const wanted = file.definition;
  const found = built.filter(({ name, variant }) => name === wanted || `${name}.${variant}` === wanted);
  const [only] = found;
  if (only && found.length === 1) return only;
  if (only)
    throw new GranaryError(
      'InvalidInput',
      `${file.path}: there are several variants of ${wanted}. Name one: ${found.map(({ name, variant }) => `${name}.${variant}`).join(', ')}.`,
    );
  throw new GranaryError(
    'UnknownResource',
    `${file.path}: there is no feature set or transformation "${wanted}". ${didYouMean(
      wanted,
      built.map(({ name }) => name),
    )}`,
  );
}

/**
 * Runs a case; what the run throws is its outcome.
 * @throws GranaryError `InvalidInput` when the case itself is wrong: an input that is none, rows that cannot be read.
 */
export async function runCase(
  project: CompiledProject,
  resource: Resource<'source'>,
  file: CaseFile,
  test: TestCase,
): Promise<CaseOutcome> {
  const began = performance.now();
  const schema = orderedSchema(resource.spec);
  const outcome = (failure: CaseFailure | undefined, rows?: readonly Row[]): CaseOutcome => ({
    ...{ file: file.path, name: test.name, failure, rows, schema },
    milliseconds: performance.now() - began,
  });
  const inputs = await inputRows(project, resource, file, test);
  const expected =
    test.expected === undefined ? undefined : await rowsIn(file, test, test.expected, schema, 'expected');
  let rows: Row[];
  try {
    rows = await runResource(project, resource, { interval: test.interval, inputs });
  } catch (error) {
    if (!(error instanceof GranaryError)) throw error;
    const said = `${error.message} [${error.code}]`;
    if (test.error !== undefined && said.includes(test.error)) return outcome(undefined);
    const wanted = test.error === undefined ? '' : `expected the error "${test.error}", got: `;
    return outcome({ kind: 'error', message: `${wanted}${said}` });
  }
  if (test.error !== undefined)
    return outcome({
      kind: 'error',
      message: `expected the error "${test.error}", got ${rows.length === 1 ? '1 row' : `${rows.length} rows`}`,
    });
  if (!expected) return outcome({ kind: 'unwritten' }, rows);
  const { keys, timestampField } = resource.spec as { keys?: readonly string[]; timestampField?: string };
  const differences = compareRows(expected, rows, { schema, keys: keys ?? [], timestampField });
  return outcome(differences.length === 0 ? undefined : { kind: 'rows', differences }, rows);
}

async function inputRows(
  project: CompiledProject,
  resource: Resource<'source'>,
  file: CaseFile,
  test: TestCase,
): Promise<Record<string, Record<string, unknown>[]>> {
  const where = `${file.path} (${test.name})`;
  const { spec } = resource;
  const sources = new Map<string, Schema>();
  if (!isRaw(spec))
    for (const [alias, id] of Object.entries(spec.inputs)) {
      const input = project.resources.get(id) as Resource<'source'>;
      sources.set(alias, orderedSchema(input.spec)).set(input.name, orderedSchema(input.spec));
    }
  if (
    !isRaw(spec) &&
    'sql' in spec.build &&
    isAllTime(test.interval) &&
    /\{\{interval\./.test(spec.build.sql)
  )
    throw new GranaryError(
      'InvalidInput',
      `${where}: the SQL of ${resource.name} uses the interval, and the case has none. Write "from" and "to".`,
    );
  const inputs: Record<string, Record<string, unknown>[]> = {};
  for (const [name, given] of Object.entries(test.inputs)) {
    const schema = sources.get(name);
    if (!schema)
      throw new GranaryError(
        'InvalidInput',
        `${where}: ${resource.name} has no input "${name}". ${didYouMean(name, sources.keys())}`,
      );
    inputs[name] = await rowsIn(file, test, given, schema, `input ${name}`);
  }
  return inputs;
}

async function rowsIn(
  file: CaseFile,
  test: TestCase,
  given: GivenRows,
  schema: Schema,
  what: string,
): Promise<Record<string, unknown>[]> {
  const where = `${file.path} (${test.name}), ${what}`;
  const typed = (rows: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown>[] =>
    rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([column, value]) => [
          column,
          fromJson(value, typeOf(where, schema, column)),
        ]),
      ),
    );
  if (typeof given !== 'string') return typed(given);
  const path = rowsPath(file, given);
  if (extname(path) === '.json')
    return typed(rowsOfJson(path, parsedJson(path, await text(path), 'It is a list of objects.')));
  if (extname(path) !== '.csv')
    throw new GranaryError('InvalidInput', `${where}: "${given}" is neither a .csv nor a .json file.`);
  const [head = [], ...lines] = csvCells(path, await text(path));
  const columns = head.map((name) => ({ name: name ?? '', type: typeOf(path, schema, name ?? '') }));
  return lines.map((line, at) => {
    if (line.length !== columns.length)
      throw new GranaryError(
        'InvalidInput',
        `${path}: row ${at + 1} has ${line.length} cells, the first line ${columns.length} columns.`,
      );
    return Object.fromEntries(columns.map(({ name, type }, i) => [name, fromCell(line[i] ?? null, type)]));
  });
}

/** Where the rows are that a case names. */
export const rowsPath = (file: CaseFile, name: string): string => resolve(dirname(file.path), name);

function rowsOfJson(path: string, value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value) && value.every((row) => typeof row === 'object' && row !== null))
    return value as Record<string, unknown>[];
  throw new GranaryError('InvalidInput', `${path} is not a list of rows: [{ ... }, ...].`);
}

function typeOf(where: string, schema: Schema, column: string): Schema[string] {
  const type = Object.hasOwn(schema, column) ? schema[column] : undefined;
  if (type) return type;
  throw new GranaryError(
    'InvalidInput',
    `${where}: there is no column "${column}". ${didYouMean(column, Object.keys(schema))}`,
  );
}
