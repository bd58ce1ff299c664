import type { LoadProgress, RunResult } from '../client/index.js';
import { counted, grouped } from './words.js';

const BAR = 24;

const counts = ({ written, older, skipped }: Omit<LoadProgress, 'step' | 'state' | 'total'>): string =>
  `${grouped(written)} written, ${grouped(older)} older, ${grouped(skipped)} skipped`;

/** `view/user_features.v1 [########----------------]  33% 33,000 of 100,000 entities: 33,000 written, 0 older, 0 skipped`. */
export function barLine(load: LoadProgress, columns: number): string {
  const { step, state, total } = load;
  const done = load.written + load.older + load.skipped;
  if (state === 'waiting' || state === 'staging') return `${step} ${state}`.slice(0, columns);
  // A view without rows is loaded as a whole.
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.floor(share * BAR);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}]`;
  const percent = `${String(Math.floor(share * 100)).padStart(3)}%`;
  const of = state === 'loading' ? `${grouped(done)} of ${grouped(total)} entities` : state;
  return `${step} ${bar} ${percent} ${of}: ${counts(load)}`.slice(0, columns);
}

/** One line for a pipe or a log: what a load does now, and what it has done. */
export function stateLine(load: LoadProgress): string {
  const { step, state, total } = load;
  if (state === 'staging') return `${step}: staging`;
  if (state === 'current') return `${step}: valid already`;
  if (state === 'loading') return `${step}: loading ${grouped(total)} entities`;
  return `${step}: ${state}: ${counts(load)}`;
}

/** How a view's load ended. */
export function loadedText({
  step,
  rows,
  location,
  loaded,
  intervals,
  check,
}: RunResult['steps'][number]): string {
  const valid = intervals?.valid ?? 0;
  const already =
    valid === 0 ? '' : `${grouped(valid)} ${valid === 1 ? 'interval was' : 'intervals were'} valid already`;
  if (!loaded) return `${step}: nothing to load${already === '' ? ': it is valid' : `: ${already}`}`;
  const { written, older, unchanged } = loaded;
  const parts = [
    `${step}: ${grouped(rows)} entities in ${location ?? ''}: ${counts({ written, older, skipped: unchanged })}`,
    ...(intervals ? [`${counted(intervals.loaded, 'interval')} loaded`] : []),
    ...(already === '' ? [] : [`${already} and skipped`]),
    ...(check ? [`${grouped(check.compared)} read back and found right`] : []),
  ];
  return parts.join('; ');
}
