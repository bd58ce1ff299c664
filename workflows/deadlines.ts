import { setCurrentDetails } from '@temporalio/workflow';
import type {
  Due,
  DueAt,
  MissedDeadline,
  ResolvedRun,
  StepFailure,
  StepResult,
  WatchedDeadline,
} from '../activities/messages.js';
import { intervalName, type Interval } from '../definitions/interval.js';
import type { PlanStep } from '../definitions/plan.js';
import { inOwnWords, logicalNow } from './own-words.js';
import { quick } from './profiles.js';
import { tellDeadline, tellRun } from './search-attributes.js';
import { sleepUntil } from './within.js';

/** How far a run's steps are. */
export interface Tally {
  readonly results: StepResult[];
  readonly failures: StepFailure[];
  /** Ids of the steps that have begun. */
  readonly begun: Set<string>;
}

/** Has a missed deadline of a run, or of one of its steps, recorded and told of. */
export async function raise(
  resolved: ResolvedRun,
  kind: MissedDeadline['kind'],
  due: DueAt,
  message: string,
  step?: PlanStep,
): Promise<void> {
  const { pipeline, plan, run } = resolved;
  if (pipeline === undefined) return;
  tellDeadline(resolved, kind);
  await quick(resolved, `record the deadline of ${step?.name ?? pipeline}: ${kind}`).raiseDeadline({
    ...{ kind, pipeline, due, run, message },
    interval: step?.interval ?? plan.interval,
    ...(step ? { step: step.id } : {}),
  });
}

/** `user_features_daily 2026-01-31 was due at ..., 2h after the interval's end` */
const wasDue = (what: string, interval: Interval, { at, after }: DueAt): string =>
  `${what} ${intervalName(interval)} was due at ${at}, ${after} after the interval's end`;

/** What is said of a run that is late: which steps are done, and which are not. */
export function lateRun(resolved: ResolvedRun, due: DueAt, tally: Tally): string {
  return `${runDue(resolved, due)}, and is not done. It goes on. ${stateOf(resolved, tally, 'Under way')}`;
}

/** What is said of a run that was cancelled at its deadline, or that began after it. */
export function cancelledRun(resolved: ResolvedRun, due: DueAt, tally: Tally): string {
  const { begun, failures, results } = tally;
  if (begun.size + failures.length + results.length === 0)
    return `${runDue(resolved, due)}: its run began too late, and nothing was done. Run the interval by hand: such a run has no deadline.`;
  return `${runDue(resolved, due)}, and was cancelled. ${stateOf(resolved, tally, 'Cancelled')} Run the interval by hand: what is valid is not made again, and such a run has no deadline.`;
}

const runDue = ({ pipeline = 'The run', plan }: ResolvedRun, due: DueAt): string =>
  wasDue(pipeline, plan.interval, due);

/** What is said of a step that is late, or that was cancelled at its deadline. */
export function lateStep(
  { pipeline = 'the run', plan }: ResolvedRun,
  step: PlanStep,
  due: DueAt,
  state: 'late' | 'cancelled' | 'not begun',
): string {
  const was = wasDue(`the step ${step.id} of ${pipeline}`, step.interval ?? plan.interval, due);
  if (state === 'late') return `${was}, and is not done. It goes on.`;
  return state === 'cancelled' ? `${was}, and was cancelled` : `${was}, and had not begun`;
}

function stateOf({ plan }: ResolvedRun, { results, failures, begun }: Tally, open: string): string {
  const done = new Set(results.map(({ step }) => step));
  const failed = new Set(failures.map(({ step }) => step));
  const ids = plan.steps.map(({ id }) => id);
  const isOpen = (id: string): boolean => !done.has(id) && !failed.has(id);
  const groups: readonly (readonly [string, readonly string[]])[] = [
    ['Done', ids.filter((id) => done.has(id))],
    ['Failed', ids.filter((id) => failed.has(id))],
    [open, ids.filter((id) => isOpen(id) && begun.has(id))],
    ['Not begun', ids.filter((id) => isOpen(id) && !begun.has(id))],
  ];
  return groups
    .flatMap(([what, which]) => (which.length === 0 ? [] : [`${what}: ${which.join(', ')}.`]))
    .join(' ');
}

/** An interval that was watched, and what came of it. */
export interface WatchedInterval {
  readonly interval: Interval;
  /** Deadlines that passed before the interval was valid. */
  readonly missed: readonly MissedDeadline['kind'][];
}

/** What the workflow `deadline` returns. */
export interface DeadlineResult {
  readonly pipeline: string;
  /** The interval that ends at this tick; absent: none of the pipeline's does, or it has no deadline. */
  readonly interval?: Interval;
  /** Its deadlines that passed before it was valid. */
  readonly missed: WatchedInterval['missed'];
  /** Intervals before it that ended near a change of clocks, where no tick may have watched them; absent: none. */
  readonly others?: readonly WatchedInterval[];
}

/** The registry may be away for long when this begins: it is asked until it answers. */
const PATIENTLY = { heartbeatTimeout: '1m' };

/**
 * Watches the interval that ends at a pipeline's tick, and those before it that nobody may watch, whether or not a run of it begins: asks at each of
 * their deadlines whether they are valid, and raises those that they missed.
 */
export async function watchDeadline(pipeline: string): Promise<DeadlineResult> {
  const watched = await inOwnWords(() =>
    quick(PATIENTLY, `find what is due of ${pipeline}`).resolveDeadline({ pipeline, now: logicalNow() }),
  );
  const { interval, due, others = [] } = watched;
  const own = interval && due ? { interval, due } : undefined;
  const newest = own ?? others.at(-1);
  if (!newest) {
    setCurrentDetails(`Nothing of **${pipeline}** is due.`);
    return { pipeline, missed: [] };
  }
  tellRun(watched, pipeline, newest.interval);
  const all = own ? [...others, own] : others;
  const states = new Map<string, string>();
  const results = await Promise.all(
    all.map((each) =>
      watchInterval(watched, pipeline, each, (text) => {
        states.set(each.interval.end, `**${pipeline}** ${intervalName(each.interval)}${text}`);
        setCurrentDetails([...states.values()].join('\n\n'));
      }),
    ),
  );
  const of = results.slice(0, others.length);
  return {
    pipeline,
    ...(own ? { interval: own.interval } : {}),
    missed: own ? (results.at(-1)?.missed ?? []) : [],
    ...(of.length > 0 ? { others: of } : {}),
  };
}

async function watchInterval(
  watched: WatchedDeadline,
  pipeline: string,
  { interval, due }: { readonly interval: Interval; readonly due: Due },
  show: (text: string) => void,
): Promise<WatchedInterval> {
  const missed: MissedDeadline['kind'][] = [];
  for (const kind of ['warned', 'exceeded'] as const) {
    const next = kind === 'warned' ? due.warn : due.cancel;
    if (!next) continue;
    show(` must be valid by ${next.at}, ${next.after} after its end.`);
    await sleepUntil(next);
    const check = await inOwnWords(() =>
      quick(watched, `is ${pipeline} ${intervalName(interval)} valid?`).checkDeadline({
        ...{ kind, pipeline, interval, due: next },
      }),
    );
    if (!check.missed) break;
    missed.push(kind);
    tellDeadline(watched, kind);
  }
  show(`: ${missed.length === 0 ? 'valid in time' : missed.join(', ')}.`);
  return { interval, missed };
}
