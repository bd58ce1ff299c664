/** A stretch of time, in milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The stretches that any of the spans covers: in order, apart from each other. */
export function union(spans: readonly Span[]): Span[] {
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    if (to <= from) continue;
    const last = merged.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

/** What of the spans lies outside of all others. */
export function subtract(spans: readonly Span[], others: readonly Span[]): Span[] {
  const holes = union(others);
  return union(spans).flatMap((span) => {
    const left: Span[] = [];
    let { from } = span;
    for (const hole of holes) {
      if (hole.to <= from || hole.from >= span.to) continue;
      if (hole.from > from) left.push({ from, to: hole.from });
      from = Math.max(from, hole.to);
    }
    if (from < span.to) left.push({ from, to: span.to });
    return left;
  });
}

/** Milliseconds that the spans cover; what several cover counts once. */
export const covered = (spans: readonly Span[]): number =>
  union(spans).reduce((sum, { from, to }) => sum + to - from, 0);

/**
 * Splits a stretch of time among layers: each moment counts for the first layer that covers it, and else for the rest. So the parts add up
 * to the whole however much runs side by side.
 */
export function split<K extends string>(
  whole: readonly Span[],
  layers: readonly (readonly [K, readonly Span[]])[],
): Record<K, number> & { rest: number } {
  const parts: Record<string, number> = {};
  let left = union(whole);
  for (const [name, spans] of layers) {
    const after = subtract(left, spans);
    parts[name] = covered(left) - covered(after);
    left = after;
  }
  return { ...parts, rest: covered(left) } as Record<K, number> & { rest: number };
}
