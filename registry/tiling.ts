import type { Interval } from '../definitions/interval.js';
import { Timestamp } from '../definitions/timestamp.js';

/** A version with its interval, and when it was committed in microseconds. */
export interface Tile {
  readonly interval: Interval;
  readonly madeAt: bigint;
}

/** Which of some versions hold the rows of each instant once. */
export interface Tiling<V> {
  /** In the order in which they were given. */
  readonly chosen: readonly V[];
  /** Groups that overlap in part, so that no choice of them has every row once; all of each are among `chosen`. */
  readonly torn: readonly (readonly V[])[];
}

interface Span<V> {
  readonly version: V;
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Of versions with overlapping intervals those that hold each row once and none not at all: the newest committed, and of the others what goes with it
 * without a gap. A wide one counts instead of those that it covers once it is newer; one that it covers, made again, counts with its neighbours. Pure.
 */
export function tiling<V extends Tile>(versions: readonly V[]): Tiling<V> {
  const left = new Set<V>();
  const torn: V[][] = [];
  for (const group of overlapping(versions)) {
    const kept = seamless(group);
    if (kept === undefined) torn.push(group.map(({ version }) => version));
    else for (const { version } of group) if (!kept.has(version)) left.add(version);
  }
  return { chosen: left.size === 0 ? versions : versions.filter((version) => !left.has(version)), torn };
}

/** Those that overlap others, by their start, in groups that overlap nothing outside; the first two of a group overlap each other. */
export function overlapping<V extends Pick<Tile, 'interval'>>(versions: readonly V[]): Span<V>[][] {
  const spans = versions
    .map((version) => ({
      version,
      start: micros(version.interval.start),
      end: micros(version.interval.end),
    }))
    .sort((a, b) => compare(a.start, b.start));
  const groups: Span<V>[][] = [];
  let end: bigint | undefined;
  for (const span of spans) {
    const last = groups.at(-1);
    if (last && end !== undefined && span.start < end) last.push(span);
    else groups.push([span]);
    if (end === undefined || span.end > end) end = span.end;
  }
  return groups.filter(({ length }) => length > 1);
}

/** Those of a group that lie end to end from its start to its end, the newest first choice; undefined where none do. */
function seamless<V extends Tile>(group: readonly Span<V>[]): ReadonlySet<V> | undefined {
  const start = group.reduce((at, span) => (span.start < at ? span.start : at), group[0]?.start ?? 0n);
  const end = group.reduce((at, span) => (span.end > at ? span.end : at), start);
  const onwards = by(group, ({ start: at }) => at);
  const back = by(group, ({ end: at }) => at);
  const fromStart = reachable(start, (at) => onwards.get(at)?.map((span) => span.end) ?? []);
  if (!fromStart.has(end)) return undefined;
  const toEnd = reachable(end, (at) => back.get(at)?.map((span) => span.start) ?? []);
  /** What is not filled yet; each can be. */
  let gaps = [{ start, end }];
  const between = (a: bigint, b: bigint): boolean => {
    if (a === b) return true;
    if (a === start) return fromStart.has(b);
    if (b === end) return toEnd.has(a);
    const next = (at: bigint): bigint[] =>
      (onwards.get(at) ?? []).flatMap((span) => (span.end <= b ? [span.end] : []));
    return reachable(a, next).has(b);
  };
  const kept = new Set<V>();
  for (const span of [...group].sort((a, b) => compare(b.version.madeAt, a.version.madeAt))) {
    const gap = gaps.find((each) => each.start <= span.start && span.end <= each.end);
    if (!gap || !between(gap.start, span.start) || !between(span.end, gap.end)) continue;
    kept.add(span.version);
    const rest = [
      { start: gap.start, end: span.start },
      { start: span.end, end: gap.end },
    ].filter((each) => each.start < each.end);
    gaps = [...gaps.filter((each) => each !== gap), ...rest];
    if (gaps.length === 0) break;
  }
  return kept;
}

function by<V>(group: readonly Span<V>[], at: (span: Span<V>) => bigint): Map<bigint, Span<V>[]> {
  const found = new Map<bigint, Span<V>[]>();
  for (const span of group) {
    const known = found.get(at(span));
    if (known) known.push(span);
    else found.set(at(span), [span]);
  }
  return found;
}

/** Every instant that steps lead to from one. */
function reachable(from: bigint, next: (at: bigint) => readonly bigint[]): ReadonlySet<bigint> {
  const found = new Set([from]);
  const open = [from];
  for (let at = open.pop(); at !== undefined; at = open.pop())
    for (const to of next(at))
      if (!found.has(to)) {
        found.add(to);
        open.push(to);
      }
  return found;
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
const micros = (at: string): bigint => Timestamp.from(at).micros;
