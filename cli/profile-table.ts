import type { VersionProfile } from '../client/versions.js';
import type { ColumnProfile, JoinProfile, Profile, ProfileValue } from '../definitions/profile.js';
import { intervalName } from '../definitions/interval.js';
import type { ValueType } from '../definitions/types.js';
import type { facts } from './table.js';
import { table } from './table.js';
import { counted, grouped } from './words.js';

/** How many of the most frequent values are shown, and from which share on; JSON has ten, however rare. */
const MOST = 5;
const RARE = 0.01;
/** Characters of a column's name, and of a value, in a cell. */
const NAME = 40;
const CELL = 24;

/**
 * The profile of a version as facts for people, no line wider than `width`: a table of its columns, the balance of a training set's label, what its
 * joins found, and its rules.
 */
export function profileFacts(
  { version, interval, profile, validation }: VersionProfile,
  { label, width }: { readonly label: string | undefined; readonly width: number },
): Parameters<typeof facts>[0] {
  const { rows, sampledRows, joins = [] } = profile;
  const of =
    sampledRows === undefined ? '' : `; median and most frequent values of ${grouped(sampledRows)} of them`;
  // Lists stand two blanks to the right.
  const room = width - 2;
  return [
    [
      `PROFILE (${version} of ${intervalName(interval)}: ${counted(rows, 'row')}${of})`,
      columnLines(profile, room),
    ],
    ['LABEL BALANCE', balanceLines(profile, label)],
    ['JOINS', joins.length === 0 ? [] : lines(joinTable(joins))],
    [
      'VALIDATION',
      validation.map(
        ({ rule, passed, message }) => `${passed ? 'passed ' : 'WARNING'}  ${rule.rule}: ${message}`,
      ),
    ],
  ];
}

const HEAD = ['column', 'type', 'null', 'min', 'median', 'mean', 'max', 'most frequent'] as const;

function columnLines({ rows, sampledRows = rows, columns }: Profile, width: number): string[] {
  const cells = columns.map(({ name, type, nulls, min, max, mean, quantiles }) => [
    cut(name, NAME),
    type,
    share(nulls, rows),
    ...[min, quantiles?.p50, mean, max].map((value) => shown(value, type)),
  ]);
  const used = lines(table(HEAD.slice(0, -1), cells.concat([[...HEAD.slice(0, -1)]])));
  const room = width - Math.max(...used.map((line) => line.length)) - 2;
  const most = columns.map((column) => cut(mostFrequent(column, sampledRows), Math.max(0, room)));
  if (room < (HEAD.at(-1)?.length ?? 0))
    return lines(table(HEAD.slice(0, -1), cells)).map((line) => cut(line, width));
  return lines(
    table(
      HEAD,
      cells.map((row, i) => [...row, most[i] ?? '']),
    ),
  );
}

function mostFrequent({ type, top = [], nan = 0 }: ColumnProfile, rows: number): string {
  const told = nan === 0 ? [] : [`NaN ${nan}`];
  if (isAllDifferent(top)) return [...told, 'all different'].join(', ');
  const often = top.filter(({ count: n }) => n >= rows * RARE).slice(0, MOST);
  if (top.length > 0 && often.length === 0) return [...told, `none above ${percent(RARE)}`].join(', ');
  return [...told, ...often.map(({ value, count: n }) => `${shown(value, type)} ${share(n, rows)}`)].join(
    ', ',
  );
}

/** Two values may be classes, each once; three that do not repeat are none. */
const isAllDifferent = (top: NonNullable<ColumnProfile['top']>): boolean =>
  top.length > 2 && top[0]?.count === 1;

/** How often the label has each of its values, the ten most frequent; nothing of one whose values are all different. */
function balanceLines({ rows, sampledRows = rows, columns }: Profile, label: string | undefined): string[] {
  const found = columns.find(({ name }) => name === label);
  if (!found) return [];
  const { type, top = [], nulls } = found;
  if (isAllDifferent(top)) return [];
  const told = top.map(({ value, count: n }) => [shown(value, type), String(n), share(n, sampledRows)]);
  return [...told, ...(nulls === 0 ? [] : [['NULL', String(nulls), share(nulls, rows)]])].map(
    (cells, _, all) =>
      cells
        .map((cell, i) => {
          const widest = Math.max(...all.map((row) => row[i]?.length ?? 0));
          return i === 0 ? cell.padEnd(widest) : cell.padStart(widest);
        })
        .join('  '),
  );
}

/** What no view has is left out. */
function joinTable(joins: readonly JoinProfile[]): string {
  const head = ['view', 'matched', 'rate', 'age min', 'median', 'max', 'created later', ''];
  const cells = joins.map(({ view, matched, matchRate, age, createdLater, constant }) => [
    view,
    String(matched),
    percent(matchRate),
    ...(age ? [duration(age.min), duration(age.median), duration(age.max)] : ['', '', '']),
    createdLater === undefined ? '' : String(createdLater),
    constant ?? '',
  ]);
  const told = (_: string, i: number): boolean => cells.some((row) => row[i] !== '');
  return table(
    head.filter(told),
    cells.map((row) => row.filter(told)),
  );
}

/** A value for a cell: of a float six digits, of an instant its seconds or its day. */
function shown(value: ProfileValue | undefined, type: ValueType): string {
  if (value === undefined) return '';
  if (type === 'timestamp')
    return String(value)
      .replace(/(\.\d+)?Z$/, '')
      .replace('T00:00:00', '')
      .replace('T', ' ');
  if (typeof value === 'number')
    return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
  // What terminals take for commands, and line breaks, would break the table.
  if (typeof value === 'string') return cut(value.replaceAll(/\p{Cc}/gu, ' '), CELL);
  return String(value);
}

/** A duration in its two greatest units: `2d 3h`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toPrecision(3))}s`;
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const;
  let left = Math.round(seconds);
  const parts = units.flatMap(([unit, size]) => {
    const n = Math.floor(left / size);
    left -= n * size;
    return n === 0 ? [] : [`${n}${unit}`];
  });
  return parts.slice(0, 2).join(' ');
}

const share = (n: number, of: number): string => (n === 0 ? '0 %' : percent(n / of));

/** Never 0 % of something, nor 100 % of less than all. */
function percent(rate: number): string {
  const text = (rate * 100).toFixed(rate < 0.01 || rate > 0.99 ? 2 : 1).replace(/\.0+$/, '');
  if (rate > 0 && Number(text) === 0) return '<0.01 %';
  return rate < 1 && Number(text) === 100 ? '>99.99 %' : `${text} %`;
}

const cut = (text: string, width: number): string => {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 3)).join('')}...`;
};

const lines = (block: string): string[] => block.split('\n').filter((line) => line !== '');
