import { readFile } from 'node:fs/promises';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { ALL_TIME, interval, type Interval } from '../definitions/interval.js';

/** Rows in a case: as objects, or the name of a CSV or JSON file beside the case's file. */
export type GivenRows = readonly Readonly<Record<string, unknown>>[] | string;

/** One case of a file of tests, as it is written there. */
export interface TestCase {
  readonly name: string;
  readonly interval: Interval;
  /** Source name -> rows. */
  readonly inputs: Readonly<Record<string, GivenRows>>;
  /** Exactly one of the two is given, but for a case whose rows are still to be written by `--update`. */
  readonly expected: GivenRows | undefined;
  /** An error code, or a part of the message. */
  readonly error: string | undefined;
}

/** A file of tests of one feature set or transformation. */
export interface CaseFile {
  readonly path: string;
  /** Its name, or `name.variant`. */
  readonly definition: string;
  readonly cases: readonly TestCase[];
  /** The file as it was parsed, for `--update`. */
  readonly parsed: { readonly cases: Record<string, unknown>[] };
}

const EXAMPLE =
  '{ "definition": "user_spending", "cases": [{ "name": "...", "from": "2026-01-01", "to": "2026-01-02", "inputs": { "orders": [...] }, "expected": [...] }] }';
const FILE_FIELDS = ['definition', 'cases'];
const CASE_FIELDS = ['name', 'from', 'to', 'inputs', 'expected', 'error'];

/**
 * Reads a file of tests.
 * @throws GranaryError `InvalidInput` that names the file, the case and the field.
 */
export async function readCaseFile(path: string): Promise<CaseFile> {
  const file = object(path, parsedJson(path, await text(path), notCases(path)), FILE_FIELDS);
  const { definition, cases } = file;
  if (typeof definition !== 'string' || !Array.isArray(cases) || cases.length === 0)
    throw wrong(path, `it has no "definition" or no "cases". A file of tests is: ${EXAMPLE}`);
  const read = cases.map((entry: unknown, at) => readCase(`${path}, case ${at + 1}`, entry));
  const twice = read.find(({ name }, at) => read.findIndex((other) => other.name === name) < at);
  if (twice) throw wrong(path, `two cases are named "${twice.name}".`);
  return { path, definition, cases: read, parsed: file as unknown as CaseFile['parsed'] };
}

const notCases = (path: string): string =>
  `${
    path.endsWith('.json')
      ? 'Correct it.'
      : 'granary test takes files of tests (*.test.json) or folders of them; the project goes to --project.'
  } A file of tests is: ${EXAMPLE}`;

/** The text of a file. @throws GranaryError `InvalidInput` when it cannot be read. */
export async function text(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new GranaryError('InvalidInput', `${path} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}

/** @throws GranaryError `InvalidInput` that names the file and says the `remedy`. */
export function parsedJson(path: string, content: string, remedy: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    throw wrong(path, `it is not JSON: ${messageOf(error).replace(/\.$/, '')}. ${remedy}`);
  }
}

function readCase(where: string, given: unknown): TestCase {
  const { name, from, to, inputs = {}, expected, error } = object(where, given, CASE_FIELDS);
  if (typeof name !== 'string' || name === '')
    throw wrong(where, 'it has no "name". Say in a few words what holds.');
  const at = `${where} (${name})`;
  if ((from === undefined) !== (to === undefined))
    throw wrong(at, 'give both "from" and "to", or neither for all of time.');
  if (expected !== undefined && error !== undefined)
    throw wrong(at, 'give "expected" rows or an "error", not both.');
  if (error !== undefined && typeof error !== 'string')
    throw wrong(at, '"error" is the code of an error, or a part of its message.');
  const sources = object(`${at}, inputs`, inputs);
  return {
    name,
    interval: from === undefined ? ALL_TIME : interval(instant(at, 'from', from), instant(at, 'to', to)),
    inputs: Object.fromEntries(
      Object.entries(sources).map(([source, rows]) => [source, givenRows(`${at}, input ${source}`, rows)]),
    ),
    expected: expected === undefined ? undefined : givenRows(`${at}, expected`, expected),
    error,
  };
}

function instant(where: string, field: string, value: unknown): string {
  if (typeof value !== 'string')
    throw wrong(where, `"${field}" is a date or an instant, such as "2026-01-01".`);
  return value;
}

function givenRows(where: string, value: unknown): GivenRows {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value))
    throw wrong(where, 'give rows, as a list of objects, or the name of a CSV or JSON file beside this one.');
  return value.map((row: unknown, at) => object(`${where}, row ${at + 1}`, row));
}

function object(where: string, value: unknown, fields?: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(where, 'it is not an object { ... }.');
  const unknown = fields && Object.keys(value).find((field) => !fields.includes(field));
  if (unknown !== undefined)
    throw wrong(where, `"${unknown}" is not known. Fields: ${(fields ?? []).join(', ')}.`);
  return value as Record<string, unknown>;
}

const wrong = (where: string, why: string): GranaryError =>
  new GranaryError('InvalidInput', `${where}: ${why}`);
