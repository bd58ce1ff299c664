/** How commands write numbers, times and spans for people. */
import type { Interval } from '../definitions/interval.js';

/** `12,345`. */
export const grouped = (n: number): string => n.toLocaleString('en');

/** `1 interval`, `2,000 intervals`. */
export const counted = (n: number, word: string): string => `${grouped(n)} ${word}${n === 1 ? '' : 's'}`;

/** `850 ms`, `4.2 s`, `42 s`, `3 min 20 s`, `2 h 5 min`, `1 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** An instant to the second. */
export const toSecond = (time: string): string => time.replace(/\.\d+Z$/, 'Z');

/** `2026-01-01 .. 2026-02-01`: midnights are days. */
export const spanText = ({ start, end }: Interval): string => `${day(start)} .. ${day(end)}`;

const day = (at: string): string => at.replace(/T00:00:00Z$/, '');
