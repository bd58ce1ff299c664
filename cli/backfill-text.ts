import type { BackfillDetail, BackfillPreview, BackfillState } from '../client/index.js';
import { intervalName, type Interval } from '../definitions/interval.js';
import { toSecond } from './runs-text.js';
import { table } from './table.js';

const BAR = 24;
/** Failures and ranges that a text tells; `--json` has all. */
const SHOWN = 20;

const grouped = (n: number): string => n.toLocaleString('en');

/** `1 interval`, `2 intervals`. */
export const count = (n: number): string => `${grouped(n)} ${n === 1 ? 'interval' : 'intervals'}`;

/** An instant as short as it can be. */
const day = (at: string): string => at.replace(/T00:00:00Z$/, '');

const spanText = ({ start, end }: Interval): string => `${day(start)} .. ${day(end)}`;

/** `850 ms`, `42 s`, `3 min 20 s`, `2 h 5 min`, `1 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** What a backfill would do: the holes of the span, what is made, and how long that may take. */
export function previewText({ plan, ranges, estimate }: BackfillPreview, what: string): string {
  const { span, found, selected, reprocess, concurrency, order, maxFailures, notes } = plan;
  if (!span)
    return `${[`${plan.pipeline}: no interval of its schedule lies in the span.`, ...notes].join('\n')}\n`;
  const told = Object.entries(found).map(([state, n]) => `${grouped(n)} ${state}`);
  const hidden = Math.max(0, ranges.length - SHOWN);
  const rows = ranges.slice(0, SHOWN).map(({ state, span: range, intervals, reasons }) => {
    const why = [...reasons.slice(0, 2), ...(reasons.length > 2 ? [`and ${reasons.length - 2} more`] : [])];
    return [state, spanText(range), grouped(intervals), why.join('; ')];
  });
  const total = Object.values(found).reduce((sum, n) => sum + n, 0);
  const stop =
    maxFailures === undefined ? '' : `, until ${maxFailures} ${maxFailures === 1 ? 'has' : 'have'} failed`;
  return [
    `${what}, ${spanText(span)}: ${count(total)}: ${told.join(', ')}\n`,
    table(['STATE', 'FROM .. TO', 'INTERVALS', 'WHY'], rows),
    hidden > 0 ? `  ${hidden} more ranges are not shown: --json has all\n` : '',
    selected === 0
      ? `Nothing to make with --reprocess ${reprocess}.\n`
      : `To make with --reprocess ${reprocess}: ${count(selected)}, ${order} first, ${concurrency} at a time${stop}\n`,
    selected === 0 ? '' : `${estimateText(plan, estimate)}\n`,
    ...left(plan).map((line) => `${line}\n`),
    ...notes.map((note) => `${note}\n`),
  ].join('');
}

function estimateText(
  { selected, concurrency }: BackfillPreview['plan'],
  { runs, ms }: BackfillPreview['estimate'],
): string {
  if (ms === undefined)
    return 'How long it takes is not known: no run of the pipeline has made anything yet.';
  const mean = (ms * concurrency) / selected;
  return `It may take ${durationText(ms)}: the last ${runs === 1 ? 'run' : `${runs} runs`} took ${durationText(mean)}${runs === 1 ? '' : ' on average'}.`;
}

/** What a wider choice would take in. */
function left({ found, reprocess }: BackfillPreview['plan']): string[] {
  const choices = ['missing', 'failed', 'stale'] as const;
  return choices.slice(choices.findIndex((each) => each === reprocess) + 1).flatMap((state) => {
    const n = reprocess === 'all' ? undefined : found[state];
    return n === undefined ? [] : [`${count(n)} ${state}: left alone without --reprocess ${state}`];
  });
}

/** How far a backfill is: `flights_daily [########----------------]  33% 60 of 181 intervals, 1 failed, 1.4/s, 1 min 26 s left`. */
export function progressText(state: BackfillState, pace: { readonly perSecond?: number }): string {
  const { plan, intervals, pausedBy } = state;
  if (!plan) return `${state.name}: waiting for a worker to plan it`;
  const { completed, failed, cancelled, running, waiting } = intervals;
  const done = completed + failed + cancelled;
  const share = plan.selected === 0 ? 1 : done / plan.selected;
  const filled = Math.floor(share * BAR);
  const { perSecond } = pace;
  const isOver = state.endedAt !== undefined;
  const moving =
    isOver || perSecond === undefined || perSecond === 0 || pausedBy !== undefined
      ? []
      : [
          perSecond >= 0.1 ? `${perSecond.toFixed(1)}/s` : `${(perSecond * 60).toFixed(1)}/min`,
          `${durationText(((running + waiting) / perSecond) * 1000)} left`,
        ];
  return [
    `${plan.pipeline} [${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}] ${String(Math.floor(share * 100)).padStart(3)}% ${grouped(done)} of ${count(plan.selected)}`,
    ...(failed > 0 ? [`${grouped(failed)} failed`] : []),
    ...(isOver ? [] : [`${grouped(running)} in flight`]),
    ...moving,
    ...(pausedBy === undefined ? [] : [`paused by ${pausedBy}`]),
  ].join(', ');
}

/** How a backfill stands or ended, with its causes; `same` are the flags by which another command finds the project. */
export function detailText(detail: BackfillDetail, same: string): string {
  const { name, plan, intervals, status, by, at, endedAt, error, failures, left: undone } = detail;
  const { completed, failed, running } = intervals;
  const took = endedAt === undefined ? '' : ` in ${durationText(Date.parse(endedAt) - Date.parse(at))}`;
  const open = endedAt === undefined;
  return [
    `${name}: ${status}${detail.pausedBy === undefined ? '' : ` (paused by ${detail.pausedBy})`}: ${grouped(completed)} of ${plan ? count(plan.selected) : 'intervals that are not planned yet'} made${took}${failed > 0 ? `, ${grouped(failed)} failed` : ''}${open && plan ? `, ${grouped(running)} in flight` : ''}${undone.length > 0 && !open ? `, ${grouped(undone.length)} left` : ''}`,
    `asked for by ${by} at ${toSecond(at)}`,
    ...(error === undefined ? [] : [error]),
    ...failures.slice(0, SHOWN).map(causeText),
    ...(failures.length > SHOWN ? [`and ${failures.length - SHOWN} more failed: --json has all`] : []),
    ...(undone.length === 0 || open ? [] : [`left: ${holesText(undone)}`]),
    ...(plan?.notes ?? []),
    ...(open || (failed === 0 && undone.length === 0)
      ? []
      : [`${failed > 0 ? 'Once the causes are mended' : 'To make the rest'}: ${againText(detail)}${same}`]),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** One failed interval and why, in a line. */
export function causeText({ interval, error }: BackfillDetail['failures'][number]): string {
  const label = intervalName(interval);
  const why = error.startsWith(`${label}: `) ? error.slice(label.length + 2) : error;
  return `failed ${label}: ${why.replaceAll(/\s+/g, ' ')}`;
}

function againText({ plan, request, intervals }: BackfillDetail): string {
  const what = request.targets?.join(' ') ?? plan?.pipeline ?? request.pipeline ?? '';
  // In full: a date alone is a local one of the schedule's time zone.
  const span = plan?.span ? ` --from ${plan.span.start} --to ${plan.span.end}` : '';
  const reprocess = intervals.failed > 0 ? 'failed' : 'missing';
  const choice = request.reprocess === 'all' || request.reprocess === 'stale' ? request.reprocess : reprocess;
  return `granary backfill ${what}${span}${choice === 'missing' ? '' : ` --reprocess ${choice}`}`;
}

/** Intervals as ranges; those are in the order of time. */
function holesText(intervals: readonly Interval[]): string {
  const ranges: { start: string; end: string; n: number }[] = [];
  for (const { start, end } of intervals) {
    const last = ranges.at(-1);
    if (last?.end === start) Object.assign(last, { end, n: last.n + 1 });
    else ranges.push({ start, end, n: 1 });
  }
  const shown = ranges.slice(0, SHOWN).map((range) => `${spanText(range)} (${grouped(range.n)})`);
  return `${shown.join(', ')}${ranges.length > SHOWN ? ', ...' : ''}`;
}

/** Backfills in a table, newest first. */
export function listText(states: readonly BackfillState[]): string {
  if (states.length === 0)
    return 'No backfill was asked for yet. What one would make: granary backfill --dry-run\n';
  return table(
    ['NAME', 'PIPELINE', 'SPAN', 'STATUS', 'MADE', 'FAILED', 'OF', 'BY', 'AT'],
    states.map(({ name, plan, request, status, pausedBy, intervals, by, at }) => [
      name,
      plan?.pipeline ?? request.pipeline ?? '',
      plan?.span ? spanText(plan.span) : '',
      pausedBy === undefined ? status : 'PAUSED',
      grouped(intervals.completed),
      grouped(intervals.failed),
      plan ? grouped(plan.selected) : '',
      by,
      toSecond(at),
    ]),
  );
}
