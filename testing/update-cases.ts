import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { CaseFile } from './case-file.js';
import { csvCell } from './csv.js';
import { rowToJson } from './row-values.js';
import { rowsPath, type CaseOutcome } from './run-cases.js';

/** Writes the rows that were made as those that are expected: into the case, or into the file that it names. */
export async function updateExpected(file: CaseFile, outcome: CaseOutcome): Promise<void> {
  const { rows = [], schema } = outcome;
  const at = file.cases.findIndex(({ name }) => name === outcome.name);
  const named = file.cases[at]?.expected;
  const plain = rows.map((row) => rowToJson(row, schema));
  if (typeof named === 'string') {
    const path = rowsPath(file, named);
    await writeFile(path, extname(path) === '.csv' ? csvText(plain, Object.keys(schema)) : jsonText(plain));
    return;
  }
  const entry = file.parsed.cases[at];
  if (!entry) return;
  entry['expected'] = plain;
  await writeFile(file.path, jsonText(file.parsed));
}

function csvText(rows: readonly Record<string, unknown>[], columns: readonly string[]): string {
  const cell = (value: unknown): string =>
    csvCell(
      value === null || value === undefined
        ? null
        : typeof value === 'string'
          ? value
          : JSON.stringify(value),
    );
  return [columns.map(csvCell), ...rows.map((row) => columns.map((column) => cell(row[column])))]
    .map((line) => `${line.join(',')}\n`)
    .join('');
}

/** JSON with everything on one line that fits there, so that a row is a line. */
export const jsonText = (value: unknown): string => `${pretty(value, '', true)}\n`;

function pretty(value: unknown, indent: string, open = false): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const inner = `${indent}  `;
  const entries: readonly string[] = isList
    ? value.map((entry: unknown) => pretty(entry, inner))
    : Object.entries(value).map(([key, entry]) => `${JSON.stringify(key)}: ${pretty(entry, inner)}`);
  if (entries.length === 0) return isList ? '[]' : '{}';
  const line = isList ? `[${entries.join(', ')}]` : `{ ${entries.join(', ')} }`;
  const fits = !open && !line.includes('\n') && indent.length + line.length <= 110;
  // A list of rows, and what holds one, is opened all the same.
  const holdsRows = isList && value.some((entry) => typeof entry === 'object' && entry !== null);
  if (fits && !holdsRows) return line;
  return `${isList ? '[' : '{'}\n${entries.map((entry) => inner + entry).join(',\n')}\n${indent}${isList ? ']' : '}'}`;
}
