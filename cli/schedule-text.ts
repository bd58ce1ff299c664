import type { ScheduleChange, ScheduleDetail, ScheduleSummary, ScheduledTime } from '../client/index.js';
import { intervalName } from '../definitions/interval.js';
import { facts, table } from './table.js';

const SIGNS: Readonly<Record<ScheduleChange['action'], string>> = {
  create: '+',
  update: '~',
  unchanged: '=',
  delete: '-',
  undeclared: '?',
};

/** What an apply did, or would do: a line a schedule, with what changes under it. */
export function changesText(changes: readonly ScheduleChange[], where: string, dryRun: boolean): string {
  const count = (action: ScheduleChange['action']): number =>
    changes.filter((change) => change.action === action).length;
  const counts = [
    `${count('create')} new`,
    `${count('update')} changed`,
    `${count('unchanged')} unchanged`,
    ...(count('delete') > 0 ? [`${count('delete')} deleted`] : []),
    ...(count('undeclared') > 0 ? [`${count('undeclared')} undeclared`] : []),
  ];
  const lines = changes.flatMap(({ pipeline, kind, action, fields, paused }) => {
    const name = kind === 'deadline' ? `${pipeline}, its deadline` : pipeline;
    return [
      `  ${SIGNS[action]} ${name}${action === 'undeclared' ? ': no pipeline declares it; --prune deletes it' : ''}`,
      // All of a new one is new: its times and policies are told, without what they replace.
      ...fields.map((field) => `      ${action === 'create' ? field.replace('(absent) -> ', '') : field}`),
      ...(paused && action !== 'delete' ? [`      stays paused${quoted(paused.note)}`] : []),
    ];
  });
  const head = dryRun ? 'What would be done with the schedules' : 'Schedules';
  return `${[`${head} of ${where}: ${counts.join(', ')}`, ...lines].join('\n')}\n`;
}

const quoted = (note: string): string => (note === '' ? '' : `: ${note}`);

/** One line a schedule. */
export function schedulesText(schedules: readonly ScheduleSummary[]): string {
  if (schedules.length === 0) return 'The project declares no pipeline, and has no schedule.\n';
  const rows = schedules.map(({ pipeline, state, cron, timezone, next, note, differs }) => [
    pipeline,
    state,
    `${cron} ${timezone}`,
    next ?? '-',
    [
      ...(state === 'missing' ? ['granary schedule apply creates it'] : []),
      ...(note === undefined ? [] : [note]),
      ...(differs.length > 0 ? ['differs from its definition'] : []),
    ].join('; '),
  ]);
  return table(['PIPELINE', 'STATE', 'CRON', 'NEXT RUN', 'NOTE'], rows);
}

const timeText = ({ at, interval }: ScheduledTime): string =>
  interval ? `${at}  for ${intervalName(interval)}` : at;

/** A schedule with its times and runs. */
export function scheduleText(detail: ScheduleDetail): string {
  const { pipeline, state, note, id, applied, counts, deadline, differs } = detail;
  const field = (name: string): string => String(applied[name] ?? '');
  return facts([
    ['pipeline', pipeline],
    ['state', note === undefined ? state : `${state}: ${note}`],
    ['schedule', id],
    ['cron', `${field('cron')} ${field('timezone')}`],
    ['from', field('startAt')],
    ['until', field('endAt')],
    ['overlap', field('overlap')],
    ['catchup', field('catchup')],
    ['jitter', field('jitter')],
    ['pause on failure', field('pauseOnFailure') === 'true' ? 'yes' : 'no'],
    ['task queue', field('taskQueue')],
    ['deadline', deadline ? `${deadline.state}: ${deadline.id}` : undefined],
    [
      'runs',
      `${counts.started} started, ${counts.skipped} skipped (the run before was open), ${counts.missed} missed (noticed after the catchup window)`,
    ],
    ['differs from its definition; granary schedule apply brings it in step', differs],
    [state === 'paused' ? 'next, were it not paused' : 'next', detail.upcoming.map(timeText)],
    [
      'recent',
      detail.recent.map((run) => `${run.status.padEnd(10)} ${timeText(run)}  ${run.workflowId} ${run.runId}`),
    ],
  ]);
}
