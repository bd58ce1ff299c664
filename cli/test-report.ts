import { printed } from '../client/printed.js';
import type { RowDifference } from '../testing/compare-rows.js';
import type { CaseOutcome } from '../testing/run-cases.js';

/** What a run of tests came to. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly updated: number;
  readonly seconds: number;
}

/** Lines of differences that are shown of one case. */
const SHOWN = 20;

/** One case in a line, and below it why it failed. */
export function outcomeText(outcome: CaseOutcome, updated: boolean): string {
  const { file, name, milliseconds, failure } = outcome;
  const mark = updated ? 'updated' : failure ? 'FAILED ' : 'ok     ';
  const line = `${mark}  ${file}: ${name} (${milliseconds.toFixed(0)} ms)\n`;
  if (!failure || updated) return line;
  return (
    line +
    reasons(outcome, failure)
      .map((reason) => `           ${reason}\n`)
      .join('')
  );
}

/** `3 passed, 1 failed in 0.42 s`. */
export function summaryText({ passed, failed, updated, seconds }: Tally): string {
  const parts = [
    `${passed} passed`,
    ...(updated > 0 ? [`${updated} updated`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ];
  return `${parts.join(', ')} in ${seconds.toFixed(2)} s\n`;
}

function reasons({ rows = [] }: CaseOutcome, failure: NonNullable<CaseOutcome['failure']>): string[] {
  switch (failure.kind) {
    case 'error':
      return [failure.message];
    case 'unwritten':
      return [
        `The case has no expected rows yet; ${rows.length === 1 ? '1 row was' : `${rows.length} rows were`} made:`,
        ...shortened(rows.map(rowText)),
        'Write them as "expected", or have them written: granary test --update',
      ];
    case 'rows':
      return shortened(failure.differences.flatMap(differenceLines));
  }
}

function shortened(lines: readonly string[]): string[] {
  if (lines.length <= SHOWN) return [...lines];
  return [...lines.slice(0, SHOWN), `... and ${lines.length - SHOWN} more`];
}

function differenceLines(difference: RowDifference): string[] {
  switch (difference.kind) {
    case 'missing':
      return [`missing     ${rowText(difference.row)}`];
    case 'unexpected':
      return [`unexpected  ${rowText(difference.row)}`];
    case 'differs':
      return [
        `differs     ${rowText(difference.key)}`,
        ...difference.columns.map(
          ({ name, expected, got }) =>
            `              ${name}: expected ${valueText(expected)}, got ${valueText(got)}`,
        ),
      ];
  }
}

const valueText = (value: unknown): string =>
  value === null || value === undefined ? 'NULL' : printed(value);

const rowText = (row: Readonly<Record<string, unknown>>): string =>
  Object.entries(row)
    .map(([column, value]) => `${column}=${valueText(value)}`)
    .join(' ');
