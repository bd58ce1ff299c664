import type { FoundRun, RunStep, RunSummary, StepLog } from '../client/index.js';
import { intervalName } from '../definitions/interval.js';
import { padded, paint, status as colored } from './colors.js';
import { facts, table } from './table.js';

/** `0.4 s`, `2 min 5 s`, `3 h 20 min`. */
export function took(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** An instant for people, to the second. */
export const toSecond = (time: string): string => time.replace(/\.\d+Z$/, 'Z');

const grouped = (n: number): string => n.toLocaleString('en');

/** The steps as a table. */
export const stepsTable = (steps: readonly RunStep[]): string =>
  table(
    ['STEP', 'KIND', 'STATUS', 'ROWS', 'TIME', 'WHERE'],
    steps.map(({ step, kind, status, result, ms }) => [
      step,
      kind,
      status,
      result ? grouped(result.rows) : '',
      result?.outcome === 'current' ? 'valid already' : ms === undefined ? '' : took(ms),
      whereOf(result),
    ]),
  );

const whereOf = (result: RunStep['result']): string => result?.version ?? result?.location ?? '';

/** One step in a line, for pipes. */
export function stepLine({ step, kind, status, result, ms, error }: RunStep): string {
  const parts = [
    result?.outcome === 'current' ? 'was valid already' : '',
    result && result.outcome !== 'current' ? `${grouped(result.rows)} rows` : '',
    ms === undefined || status === 'RUNNING' || result?.outcome === 'current' ? '' : took(ms),
    whereOf(result),
    status === 'FAILED' ? firstLine(error ?? '') : '',
  ].filter((part) => part !== '');
  return `${step}: ${kind} ${colored(status)}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`;
}

const MOST = 80;
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
const short = (text: string): string => {
  const line = firstLine(text);
  return line.length <= MOST ? line : `${line.slice(0, MOST - 3)}...`;
};

/** Runs as a table, the newest first; `all` when none was filtered out. */
export const runsText = (runs: readonly RunSummary[], all: boolean): string =>
  runs.length === 0
    ? all
      ? 'Nothing has run yet. Start a pipeline: granary run <pipeline>\n'
      : 'No run fits.\n'
    : table(
        ['RUN', 'WHAT', 'INTERVAL', 'STATUS', 'STARTED', 'TIME', 'STEPS', 'ERROR'],
        runs.map(({ run, type, pipeline, interval, status, startedAt, ms, counts, error }) => [
          run,
          pipeline ?? type,
          intervalName(interval),
          status,
          toSecond(startedAt),
          took(ms),
          `${counts.completed}/${counts.total}`,
          short(error ?? ''),
        ]),
      );

/** All of one run; `same` are the flags by which another command finds the project. */
export function runText(found: FoundRun, same: string): string {
  const {
    run,
    workflowId,
    type,
    pipeline,
    interval,
    status,
    error,
    startedAt,
    endedAt,
    ms,
    steps: work,
    url,
    deadlines,
  } = found;
  const failed = work.filter((step) => step.status === 'FAILED' || (step.status === 'RUNNING' && step.error));
  const head = facts([
    ['RUN', run],
    ['WORKFLOW', workflowId],
    ['WHAT', pipeline === undefined ? type : `${type} ${pipeline}`],
    ['INTERVAL', `${intervalName(interval)} [${interval.start}, ${interval.end})`],
    ['STATUS', colored(status)],
    ['TIME', `${toSecond(startedAt)} .. ${endedAt === undefined ? 'now' : toSecond(endedAt)} (${took(ms)})`],
    ['IN TEMPORAL', url],
    ['LOGS', failed.length === 0 ? undefined : `granary runs logs ${run}${same}`],
    ['DEADLINES', deadlines.map(({ at, kind, message }) => `${toSecond(at)} ${kind}: ${message}`)],
    // Where steps failed, theirs say it.
    ['ERROR', failed.length === 0 && error !== undefined ? error.split('\n') : undefined],
  ]);
  const errors = facts(
    failed.map(({ step, error: why, errors }) => [
      `${status === 'RUNNING' ? 'LAST ERROR' : 'ERROR'} OF ${step}${errors > 1 ? ` (${errors} errors)` : ''}`,
      (why ?? '').split('\n'),
    ]),
  );
  const warnings = facts(
    work.flatMap(({ step, result }) =>
      result?.warnings === undefined ? [] : [[`WARNINGS OF ${step}`, result.warnings] as const],
    ),
  );
  const inputs = work.flatMap((step) => {
    const read = inputsOf(step);
    return read.length === 0 ? [] : [`${step.step} reads ${read.join(', ')}`];
  });
  const steps = work.length === 0 ? 'The run has no steps.\n' : stepsTable(work);
  return `${head}\n${steps}${errors}${warnings}${facts([['INPUTS', inputs]])}`;
}

/** What a step read, shortly: versions by name, files by their number. */
function inputsOf({ inputs }: RunStep): string[] {
  const seen = inputs.map((input) => {
    if (input.type === 'dataset') return `${input.source} for ${intervalName(input.interval)}`;
    if (input.type === 'table') return `${input.source} (a table, as of ${input.readAt})`;
    return `${input.source} (${input.files.length} ${input.files.length === 1 ? 'file' : 'files'})`;
  });
  const all = [...new Set(seen)];
  return all.length <= 5 ? all : [...all.slice(0, 2), `${all.length - 4} more`, ...all.slice(-2)];
}

/** What steps sent to engines, and how their attempts ended. */
export function logsText(logs: readonly StepLog[]): string {
  return logs
    .map((log) => {
      const { step, activity, attempt, worker, outcome, code, error, statements, omitted, startedAt } = log;
      const title = `${startedAt}  ${step}  ${activity}, attempt ${attempt}: ${outcome}${code === undefined ? '' : ` [${code}]`}  (${worker})`;
      const middle = Math.ceil(statements.length / 2);
      const sent = statements.flatMap(({ at, subject, sql, ms, error: said }, i) => [
        ...(omitted > 0 && i === middle ? [`  ... ${omitted} statements were left out`] : []),
        `  ${at}  ${subject} (${ms === undefined ? 'not ended' : ms < 1000 ? `${ms} ms` : took(ms)})`,
        ...sql.split('\n').map((line) => `    ${line}`),
        ...(said === undefined
          ? []
          : said.split('\n').map((line) => `    ${paint('red', padded(`! ${line}`, 0))}`)),
      ]);
      const why = error === undefined ? [] : [`  ${paint('red', error.replaceAll('\n', '\n  '))}`];
      return [paint('bold', title), ...sent, ...why].map((line) => `${line}\n`).join('');
    })
    .join('\n');
}
