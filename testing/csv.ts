import { GranaryError } from '../definitions/errors.js';

/**
 * The cells of a CSV text, line by line: separated by commas; quotes around a cell, doubled within it. A cell that is empty and not quoted is null.
 * @throws GranaryError `InvalidInput` when a quote is not closed.
 */
export function csvCells(path: string, text: string): (string | null)[][] {
  const lines: (string | null)[][] = [];
  let line: (string | null)[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/gy;
  const content = text.replace(/^\uFEFF/, '');
  while (pattern.lastIndex < content.length || line.length > 0) {
    const at = pattern.lastIndex;
    const match = pattern.exec(content);
    if (!match)
      throw new GranaryError(
        'InvalidInput',
        `${path}, line ${lines.length + 1}: a quote is not closed, or stands within a cell. Write "a ""quoted"" word".`,
      );
    const [, quoted, plain = '', end] = match;
    line.push(quoted === undefined ? plain || null : quoted.replaceAll('""', '"'));
    if (end === ',') {
      // A comma at the very end of the text opens one more, empty cell.
      if (pattern.lastIndex === content.length) line.push(null);
      else continue;
    }
    // An empty line is none.
    if (line.length > 1 || line[0] !== null) lines.push(line);
    line = [];
    if (pattern.lastIndex === at) break;
  }
  return lines;
}

/** A cell as it is written: quoted where it must be, or where it would be taken for NULL. */
export const csvCell = (value: string | null): string =>
  value === null ? '' : value === '' || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
