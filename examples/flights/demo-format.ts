/** Texts for a terminal: days, durations, tables. */

const DAY = 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The days from `from` to `to`, both included, or `days` of them. */
export function days(
  flags: {
    readonly from?: string | undefined;
    readonly to?: string | undefined;
    readonly days?: string | undefined;
  },
  limits: { readonly first: string; readonly last: string; readonly from: string; readonly days: number },
): string[] {
  const parse = (flag: string, text: string): number => {
    const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
    if (Number.isNaN(ms) || iso(ms) !== text) usage(`--${flag} ${text} is not a date such as 2001-03-04`);
    if (text < limits.first || text > limits.last)
      usage(`--${flag} ${text} lies outside the data: ${limits.first} to ${limits.last}`);
    return ms;
  };
  const count = flags.days === undefined ? undefined : Number(flags.days);
  if (count !== undefined && (!Number.isInteger(count) || count < 1))
    usage(`--days ${flags.days ?? ''} is not a whole number from 1`);
  const to = flags.to === undefined ? undefined : parse('to', flags.to);
  const given = flags.from === undefined ? undefined : parse('from', flags.from);
  const from =
    given ??
    (to !== undefined
      ? to - ((count ?? limits.days) - 1) * DAY
      : Math.min(Date.parse(limits.from), Date.parse(limits.last) - ((count ?? limits.days) - 1) * DAY));
  const end = given !== undefined && to !== undefined ? to : from + ((count ?? limits.days) - 1) * DAY;
  if (given !== undefined && to !== undefined && count !== undefined)
    usage('give two of --from, --to and --days');
  if (end < from) usage('--to lies before --from');
  if (from < Date.parse(limits.first) || end > Date.parse(limits.last))
    usage(`${iso(from)} to ${iso(end)} leaves the data: ${limits.first} to ${limits.last}`);
  return Array.from({ length: Math.round((end - from) / DAY) + 1 }, (_, i) => iso(from + i * DAY));
}

function usage(problem: string): never {
  console.error(`demo: ${problem}.`);
  process.exit(2);
}

export const duration = (ms: number): string =>
  ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 1000).toFixed(1)} s`;

/** A value as a cell. */
function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(3);
  return String(value as string);
}

/** A table with a header; `right` lists the columns that are aligned to the right (numbers always are). */
export function table(
  head: readonly string[],
  rows: readonly (readonly unknown[])[],
  right: readonly number[] = [],
): string {
  const cells = rows.map((row) => row.map(cell));
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => (row[i] ?? '').length)));
  const numeric = head.map(
    (_, i) =>
      right.includes(i) ||
      (rows.length > 0 && rows.every((row) => ['number', 'bigint'].includes(typeof row[i]))),
  );
  const line = (row: readonly string[]): string =>
    `  ${row.map((text, i) => (numeric[i] ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0))).join('  ')}`.trimEnd();
  return [line(head), line(widths.map((width) => '─'.repeat(width))), ...cells.map(line)].join('\n');
}
