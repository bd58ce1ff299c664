import type { RunHistory } from './history.js';
import { SYSTEMS, type Body, type System } from './recorder.js';
import { covered, split, subtract, union, type Span } from './spans.js';

/** Milliseconds by what they went into; they add up to `wall`. */
export interface Parts extends Readonly<Record<System, number>> {
  readonly wall: number;
  /** No body of it ran. */
  readonly temporal: number;
  /** A body ran and waited for none of the systems: our code, and the wait for a core. */
  readonly typescript: number;
}

/** One day's run, taken apart. */
export interface Day {
  readonly total: Parts;
  /** Of `total.temporal`: workflow tasks on their way to the worker, workflow tasks at work, activities on their way and answers. */
  readonly orchestration: { readonly queued: number; readonly worked: number; readonly rest: number };
  /** Steps in the order in which they began. They run side by side: their times add up to more than the run's. */
  readonly steps: ReadonlyMap<string, Parts>;
  /** By the activity's name: one entry each time that it ran. */
  readonly activities: ReadonlyMap<string, readonly Parts[]>;
  readonly counts: Readonly<
    Record<'workflowTasks' | 'activities' | 'localActivities' | 'events' | 'bytes', number>
  >;
  /** CPU milliseconds of the process, and of its JavaScript thread. */
  readonly cpu: { readonly all: number; readonly main: number | undefined };
}

/** Takes a run apart: its history is the server's, its bodies are this process's. */
export function takeApart(run: RunHistory, bodies: readonly Body[], cpu: Day['cpu']): Day {
  for (const body of bodies)
    if (body.from < run.from - 5 || body.to > run.to + 5)
      throw new Error('This machine and the Temporal server do not agree on the time; use a server here.');
  const whole: Span[] = [run];
  const gaps = subtract(whole, bodies);
  const tasks = run.workflowTasks;
  const orchestration = split(gaps, [
    ['worked', tasks.map(({ worked }) => worked)],
    ['queued', tasks.map(({ queued }) => queued)],
  ]);
  const steps = new Map<string, Body[]>();
  for (const body of [...bodies].sort((a, b) => a.from - b.from)) {
    const name = body.step ?? body.activity;
    steps.set(name, [...(steps.get(name) ?? []), body]);
  }
  const activities = new Map<string, Parts[]>();
  for (const body of bodies)
    activities.set(body.activity, [
      ...(activities.get(body.activity) ?? []),
      partsOf(spanOf(run, [body]), [body]),
    ]);
  return {
    total: partsOf(whole, bodies),
    orchestration,
    steps: new Map([...steps].map(([name, own]) => [name, partsOf(spanOf(run, own), own)])),
    activities,
    counts: {
      workflowTasks: tasks.length,
      activities: run.activities.size,
      localActivities: bodies.length - run.activities.size,
      events: run.events,
      bytes: run.bytes,
    },
    cpu,
  };
}

function partsOf(whole: readonly Span[], bodies: readonly Body[]): Parts {
  const running = subtract(whole, subtract(whole, bodies));
  const waits = SYSTEMS.map(
    (system) => [system, bodies.flatMap(({ waits }) => waits.filter((w) => w.system === system))] as const,
  );
  const { rest, ...parts } = split(running, waits);
  const wall = covered(whole);
  return { wall, temporal: wall - covered(running), typescript: rest, ...parts };
}

/** A step lasts from the scheduling of the workflow task that asked for its first activity to the recorded end of its last. */
function spanOf(run: RunHistory, bodies: readonly Body[]): Span[] {
  const spans = bodies.map((body) => {
    const known = run.activities.get(body.activityId);
    // A local activity: what comes before it in the run, the first workflow task, is its.
    return known ?? { from: run.from, to: body.to };
  });
  return union([
    { from: Math.min(...spans.map(({ from }) => from)), to: Math.max(...spans.map(({ to }) => to)) },
  ]);
}
