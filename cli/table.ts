import { padded, paint, status, widthOf } from './colors.js';

/**
 * Lines of cells in columns as wide as they need; nothing is cut, line breaks within a cell become blanks. A cell that is a status has its colour,
 * where the output has colours.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((cells) => cells.map((cell) => cell.replaceAll(/\s+/g, ' ').trim()));
  const widths = head.map((_, i) => Math.max(...lines.map((cells) => widthOf(cells[i] ?? ''))));
  return lines
    .map((cells, n) => {
      const line = cells
        .map((cell, i) =>
          padded(n === 0 ? cell : status(cell), i === cells.length - 1 ? 0 : (widths[i] ?? 0)),
        )
        .join('  ')
        .trimEnd();
      return `${n === 0 ? paint('bold', line) : line}\n`;
    })
    .join('');
}

/** Keys and values under each other; lists and blocks come on lines of their own. Empty ones are left out. */
export function facts(
  rows: readonly (readonly [key: string, value: string | readonly string[] | undefined])[],
): string {
  const told = rows.filter(([, value]) => value !== undefined && value.length > 0);
  const width = Math.max(...told.map(([key, value]) => (typeof value === 'string' ? key.length : 0)));
  return told
    .map(([key, value]) =>
      typeof value === 'string'
        ? `${key.padEnd(width)}  ${value.replaceAll(/\s+/g, ' ')}\n`
        : `${key}\n${(value ?? []).map((line) => `  ${line}\n`).join('')}`,
    )
    .join('');
}

/** JSON that loses no digit: 64-bit integers are texts, bytes are base64, what JSON has no number for is a text. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, plain, 2)}\n`;
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value;
}
