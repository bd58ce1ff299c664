import { setTimeout as sleep } from 'node:timers/promises';
import type { BackfillDetail, GranaryClient } from '../client/index.js';
import { messageOf } from '../definitions/errors.js';
import { causeText, progressText } from './backfill-text.js';
import { whileWaiting } from './interrupt.js';
import { sameProject, type ProjectFlags } from './options.js';

/**
 * Shows how far a backfill is until it has ended: a bar that is drawn over, or lines; `quiet` shows nothing. It survives workers that come and go. An
 * interrupt ends this command alone, and says so.
 */
export async function followBackfill(
  client: GranaryClient,
  name: string,
  mode: 'bar' | 'lines' | 'quiet',
  flags: Partial<ProjectFlags>,
): Promise<BackfillDetail> {
  const same = sameProject(flags);
  using _ = whileWaiting(
    `${name} goes on without this command. Watch it: granary backfill status ${name} --follow${same}; end it: granary backfill cancel ${name}${same}`,
  );
  const show = mode === 'bar' ? bar() : mode === 'lines' ? lines() : () => undefined;
  let first: { readonly at: number; readonly done: number } | undefined;
  let asked = Date.now();
  let isAlone = false;
  for (let pause = 200; ; pause = Math.min(pause * 1.2, 1000)) {
    const detail = await client.backfills.status(name);
    const done = detail.intervals.completed + detail.intervals.failed;
    if (detail.plan) first ??= { at: Date.now(), done };
    const seconds = first ? (Date.now() - first.at) / 1000 : 0;
    show(detail, first && done > first.done ? { perSecond: (done - first.done) / seconds } : {});
    if (detail.endedAt !== undefined) return detail;
    if (Date.now() - asked > 5000) {
      asked = Date.now();
      const problem = await client.requireWorker().then(() => undefined, messageOf);
      if (problem !== undefined && !isAlone) process.stderr.write(`granary backfill: waiting: ${problem}\n`);
      isAlone = problem !== undefined;
    }
    await sleep(pause);
  }
}

type Show = (detail: BackfillDetail, pace: { readonly perSecond?: number }) => void;

/** Draws one line over and over, and takes it away at the end. */
function bar(): Show {
  return (detail, pace) => {
    const { columns = 80 } = process.stdout;
    const text = detail.endedAt === undefined ? progressText(detail, pace).slice(0, columns - 1) : '';
    process.stdout.write(`\r\x1b[K${text}`);
  };
}

/** Writes a line at the start, for each failure and each tenth of the way, and when it is paused or goes on. */
function lines(): Show {
  let tenth = -1;
  const told = new Set<string>();
  let paused: string | undefined;
  return (detail, pace) => {
    const { plan, intervals, pausedBy } = detail;
    for (const failure of detail.failures) {
      if (!told.has(failure.interval.start)) process.stdout.write(`${causeText(failure)}\n`);
      told.add(failure.interval.start);
    }
    const done = intervals.completed + intervals.failed;
    const now = plan && plan.selected > 0 ? Math.floor((done / plan.selected) * 10) : -1;
    if (now > tenth || pausedBy !== paused) process.stdout.write(`${progressText(detail, pace)}\n`);
    tenth = now;
    paused = pausedBy;
  };
}
