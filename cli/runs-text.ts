import type { FoundRun, RunStep, RunSummary, StepLog, UnplannedRun } from '../client/index.js';
import { intervalName } from '../definitions/interval.js';
import { paint, status as colored } from './colors.js';
import { facts, table } from './table.js';
import { counted, durationText, grouped, toSecond } from './words.js';

/** The steps as a table. */
export const stepsTable = (steps: readonly RunStep[]): string =>
  table(
    ['STEP', 'KIND', 'STATUS', 'ROWS', 'TIME', 'WHERE'],
    steps.map(({ step, kind, status, result, ms }) => [
      step,
      kind,
      status,
      result ? grouped(result.rows) : '',
      result?.outcome === 'current' ? 'valid already' : ms === undefined ? '' : durationText(ms),
      whereOf(result),
    ]),
  );

const whereOf = (result: RunStep['result']): string => result?.version ?? result?.location ?? '';

/** One step in a line, for pipes. */
export function stepLine({ step, kind, status, result, ms, error }: RunStep): string {
  const parts = [
    result?.outcome === 'current' ? 'was valid already' : '',
    result && result.outcome !== 'current' ? `${grouped(result.rows)} rows` : '',
    ms === undefined || status === 'RUNNING' || result?.outcome === 'current' ? '' : durationText(ms),
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
          durationText(ms),
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
    steps,
    url,
    deadlines,
  } = found;
  const failed = steps.filter(
    (step) => step.status === 'FAILED' || (step.status === 'RUNNING' && step.error),
  );
  const head = facts([
    ['RUN', run],
    ['WORKFLOW', workflowId],
    ['WHAT', pipeline === undefined ? type : `${type} ${pipeline}`],
    ['INTERVAL', `${intervalName(interval)} [${interval.start}, ${interval.end})`],
    ['STATUS', colored(status)],
    [
      'TIME',
      `${toSecond(startedAt)} .. ${endedAt === undefined ? 'now' : toSecond(endedAt)} (${durationText(ms)})`,
    ],
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
    steps.flatMap(({ step, result }) =>
      result?.warnings === undefined ? [] : [[`WARNINGS OF ${step}`, result.warnings] as const],
    ),
  );
  const inputs = steps.flatMap((step) => {
    const read = inputsOf(step);
    return read.length === 0 ? [] : [`${step.step} reads ${read.join(', ')}`];
  });
  const made = steps.length === 0 ? 'The run has no steps.\n' : stepsTable(steps);
  return `${head}\n${made}${errors}${warnings}${facts([['INPUTS', inputs]])}`;
}

/** A run that ended before it was planned. */
export const unplannedText = (found: UnplannedRun): string =>
  facts([
    ['RUN', found.run],
    ['WORKFLOW', found.workflowId],
    ['WHAT', found.type],
    ['STATUS', `${colored(found.status)} before it was planned: it has no steps`],
    ['TIME', `${toSecond(found.startedAt)} .. ${toSecond(found.endedAt)} (${durationText(found.ms)})`],
    ['IN TEMPORAL', found.url],
    ['NOTES', found.notes],
    [`ERROR${found.code === undefined ? '' : ` [${found.code}]`}`, found.error?.split('\n')],
  ]);

/** What a step read, shortly: versions by name, files by their number. */
function inputsOf({ inputs }: RunStep): string[] {
  const seen = inputs.map((input) => {
    if (input.type === 'dataset') return `${input.source} for ${intervalName(input.interval)}`;
    if (input.type === 'table') return `${input.source} (a table, as of ${input.readAt})`;
    return `${input.source} (${counted(input.files.length, 'file')})`;
  });
  const all = [...new Set(seen)];
  return all.length <= 5 ? all : [...all.slice(0, 2), `${all.length - 4} more`, ...all.slice(-2)];
}

/** Characters of a line of SQL that is shown whole, and of the beginning and end of a longer one. People break their lines; what is longer was generated. */
const LINE = 400;
const [HEAD, TAIL] = [240, 120];

/** What a statement makes stands at its beginning, and of what at its end; the columns are between. */
function shortened(line: string): string {
  if (line.length <= LINE) return line;
  // Cut between words: a path at the end stays whole.
  const [last, first] = [line.lastIndexOf(' ', HEAD), line.lastIndexOf(' ', line.length - TAIL) + 1];
  const [head, tail] = [line.slice(0, last > 0 ? last : HEAD), line.slice(first > HEAD ? first : -TAIL)];
  return `${head} ... ${grouped(line.length - head.length - tail.length)} characters ... ${tail}`;
}

/** What steps sent to engines, and how their attempts ended. Statements that an engine refused are whole. */
export function logsText(logs: readonly StepLog[]): string {
  let isShort = false;
  const sqlLines = ({ sql, error }: StepLog['statements'][number]): string[] =>
    sql.split('\n').map((line) => {
      const shown = error === undefined ? shortened(line) : line;
      isShort ||= shown !== line;
      return `    ${shown}`;
    });
  const text = logs
    .map((log) => {
      const { step, activity, attempt, worker, outcome, code, error, statements, omitted, startedAt } = log;
      const title = `${startedAt}  ${step}  ${activity}, attempt ${attempt}: ${outcome}${code === undefined ? '' : ` [${code}]`}  (${worker})`;
      const middle = Math.ceil(statements.length / 2);
      const sent = statements.flatMap((statement, i) => {
        const { at, subject, ms, error: said } = statement;
        return [
          ...(omitted > 0 && i === middle ? [`  ... ${omitted} statements were left out`] : []),
          `  ${at}  ${subject} (${ms === undefined ? 'not ended' : durationText(ms)})`,
          ...sqlLines(statement),
          ...(said === undefined ? [] : said.split('\n').map((line) => `    ${paint('red', `! ${line}`)}`)),
        ];
      });
      const why = error === undefined ? [] : [`  ${paint('red', error.replaceAll('\n', '\n  '))}`];
      return [paint('bold', title), ...sent, ...why].map((line) => `${line}\n`).join('');
    })
    .join('\n');
  return isShort ? `${text}\nLong lines are shortened: --json has them whole.\n` : text;
}
