import { writeSync } from 'node:fs';

/**
 * Places where a test may stop this process, on both sides of what must not be half done. Inert unless
 * `GRANARY_CRASH_POINT` names one (`name` or `name:3` for its third passing): then a line goes to the file descriptor
 * `GRANARY_CRASH_FD` and the process waits there to be killed.
 */
export const CRASH_POINTS = [
  'build.before-stage',
  'build.after-stage',
  'store.before-commit',
  'store.after-commit',
  'store.mid-publish',
  'store.before-latest',
  'store.after-latest',
  'transform.before-stage',
  'transform.after-stage',
  'rollback.before-commit',
  'rollback.after-commit',
  'stage.before-stage',
  'stage.after-stage',
  'load.after-group',
  'load.before-record',
  'load.after-record',
  'training-set.before-stage',
  'training-set.after-stage',
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

const [armed, count] = (process.env['GRANARY_CRASH_POINT'] ?? '').split(':');
let left = Number(count ?? '1');

/** Passes, or waits to be killed. */
export async function crashPoint(name: CrashPoint): Promise<void> {
  if (name !== armed) return;
  left -= 1;
  if (left !== 0) return;
  writeSync(Number(process.env['GRANARY_CRASH_FD'] ?? '3'), `${name}\n`);
  await new Promise<never>(() => undefined);
}
