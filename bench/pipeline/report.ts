import type { Day, Parts } from './day.js';
import { median } from '../median.js';

const COLUMNS = [
  ['wall', 'wall'],
  ['engine', 'DuckDB'],
  ['online', 'online store'],
  ['registry', 'registry'],
  ['files', 'files'],
  ['slot', 'slot'],
  ['typescript', 'TypeScript'],
  ['temporal', 'Temporal'],
] as const satisfies readonly (readonly [keyof Parts, string])[];

/** The days as tables: medians, and shares of the wall time. */
export function report(days: readonly Day[]): string {
  const of = (value: (day: Day) => number): number => median(days.map(value));
  const cell = (part: keyof Parts, parts: (day: Day) => Parts | undefined): string => {
    const value = of((day) => parts(day)?.[part] ?? 0);
    const share = of((day) => (parts(day)?.[part] ?? 0) / (parts(day)?.wall ?? 1));
    return part === 'wall' ? ms(value) : `${ms(value)} (${Math.round(share * 100)} %)`;
  };
  const row = (name: string, parts: (day: Day) => Parts | undefined): string[] => [
    name,
    ...COLUMNS.map(([part]) => cell(part, parts)),
  ];
  const steps = [...new Set(days.flatMap((day) => [...day.steps.keys()]))];
  const activities = [...new Set(days.flatMap((day) => [...day.activities.keys()]))];
  const count = (name: keyof Day['counts']): string =>
    Math.round(of((day) => day.counts[name])).toLocaleString('en');
  const main = of((day) => day.cpu.main ?? NaN);
  return [
    'Milliseconds, medians over the days, and shares of the wall time. A moment in which several things run counts once, for the',
    'first in the order of the columns. Steps run side by side: only the line "run" adds up to the run.',
    '',
    ...table(
      ['step', ...COLUMNS.map(([, title]) => title)],
      [...steps.map((name) => row(name, (day) => day.steps.get(name))), row('run', (day) => day.total)],
    ),
    '',
    ...table(
      ['activity', 'times', ...COLUMNS.map(([, title]) => title)],
      activities.map((name) => {
        const [title = '', ...cells] = row(name, (day) => meanOf(day.activities.get(name) ?? []));
        return [title, String(Math.round(of((day) => day.activities.get(name)?.length ?? 0))), ...cells];
      }),
    ),
    '',
    'DuckDB         queries, COPY and reads in the engine, from call to answer',
    'online store   commands under way',
    'registry       Postgres statements, and the wait for a connection',
    'files          calls of the file store, with its hashing and fsync',
    'slot           the wait for one of the slots of heavy steps',
    `TypeScript     an activity body runs and waits for none of these; ${Number.isNaN(main) ? '' : `CPU of the JavaScript thread ${ms(main)} ms, `}of all threads ${ms(of((day) => day.cpu.all))} ms`,
    'Temporal       no activity body runs',
    '',
    `orchestration  ${ms(of((day) => day.total.temporal))} ms a day-run, ${ms(Math.min(...days.map((day) => day.total.temporal)))} to ${ms(Math.max(...days.map((day) => day.total.temporal)))}: wall time of the run (first event to last) minus the union of the`,
    `               time in which some activity body ran. Of it workflow tasks on their way to the worker ${ms(of((day) => day.orchestration.queued))},`,
    `               workflow tasks at work ${ms(of((day) => day.orchestration.worked))}, activities on their way and answers ${ms(of((day) => day.orchestration.rest))}`,
    `a day has      ${count('workflowTasks')} workflow tasks, ${count('activities')} activities, ${count('localActivities')} local, ${count('events')} events, ${count('bytes')} bytes of history`,
  ].join('\n');
}

function meanOf(all: readonly Parts[]): Parts | undefined {
  const mean = (part: keyof Parts): number => all.reduce((sum, parts) => sum + parts[part], 0) / all.length;
  const [one] = all;
  return one && (Object.fromEntries(COLUMNS.map(([part]) => [part, mean(part)])) as unknown as Parts);
}

const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)];
}
