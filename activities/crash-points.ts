import { existsSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Places on both sides of every commit, publication and ledger write, at which a test may stop this process. Inert
 * unless `GRANARY_CRASH_POINT` is set:
 *
 * - `name`, or `name:3` for its third passing: a line goes to the file descriptor `GRANARY_CRASH_FD` (3), and then,
 *   by `GRANARY_CRASH_ACTION`,
 *   - `wait` (the default): the process waits there to be killed,
 *   - `stop`: the whole process stops (SIGSTOP) until SIGCONT, and says `name resumed` when it goes on,
 *   - `hold`: it works on, except here, until there is a file `GRANARY_CRASH_RELEASE`; without a number at later passings, too;
 * - `*`: every passing is told, and nothing stops.
 */
export const CRASH_POINTS = [
  'run.before-begin',
  'run.after-begin',
  'claim.before-own',
  'claim.after-own',
  'claim.after-pin',
  'build.after-part',
  'build.before-stage',
  'build.after-stage',
  'transform.before-stage',
  'transform.after-stage',
  'training-set.before-stage',
  'training-set.after-stage',
  'facts.before-note',
  'facts.after-note',
  'store.before-commit',
  'store.after-commit',
  'store.mid-publish',
  'store.after-publish',
  'store.before-latest',
  'store.mid-latest',
  'store.after-latest',
  'rollback.before-commit',
  'rollback.after-commit',
  'promote.before-switch',
  'promote.after-switch',
  'promote.mid-tables',
  'promote.after-tables',
  'promote.before-retire',
  'promote.after-retire',
  'refresh.before-begin',
  'refresh.after-begin',
  'refresh.before-collect',
  'refresh.after-collect',
  'remove.before-mark',
  'remove.after-mark',
  'remove.after-online',
  'remove.mid-files',
  'remove.after-files',
  'remove.before-rows',
  'remove.after-rows',
  'stage.before-stage',
  'stage.after-stage',
  'load.after-group',
  'load.before-check',
  'load.before-receipt',
  'load.before-record',
  'load.after-record',
  'run.before-end',
  'run.after-end',
  'feast.before-write',
  'feast.after-write',
  'apply.before-begin',
  'apply.after-begin',
  'apply.after-lock',
  'apply.before-register',
  'apply.after-register',
  'apply.before-check',
  'apply.after-check',
  'apply.before-end',
  'apply.after-end',
  'backfill.before-begin',
  'backfill.after-begin',
  'backfill.before-plan',
  'backfill.after-plan',
  'backfill.before-fail',
  'backfill.after-fail',
  'backfill.before-end',
  'backfill.after-end',
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

const [armed, count] = (process.env['GRANARY_CRASH_POINT'] ?? '').split(':');
const action = process.env['GRANARY_CRASH_ACTION'] ?? 'wait';
let left = Number(count ?? '1');

/** Passes, or does what a test asked for. */
export async function crashPoint(name: CrashPoint): Promise<void> {
  if (armed === '*') tell(name);
  if (name !== armed) return;
  left -= 1;
  // A passing that was counted stops there alone; `hold` without a number stops every one.
  if (left > 0 || (left < 0 && (action !== 'hold' || count !== undefined))) return;
  if (left === 0) tell(name);
  switch (action) {
    case 'stop':
      process.kill(process.pid, 'SIGSTOP');
      // The signal is on its way to this very process: nothing more may happen before it arrives.
      await sleep(1);
      tell(`${name} resumed`);
      return;
    case 'hold':
      while (!existsSync(process.env['GRANARY_CRASH_RELEASE'] ?? '')) await sleep(10);
      return;
    default:
      await new Promise<never>(() => undefined);
  }
}

function tell(line: string): void {
  writeSync(Number(process.env['GRANARY_CRASH_FD'] ?? '3'), `${line}\n`);
}
