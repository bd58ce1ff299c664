import { matchesInTime } from '../join-shape.js';
import type { JoinedView } from '../provider.js';
import type { Connection } from './connection.js';
import { matchBySorting } from './view-asof.js';
import { matchByPairs, MOST_LABELS_PER_KEY } from './view-pairs.js';
import { firstOf, rowOrder, sourceOf } from './view-source.js';

/** The labels' side that a view is matched against. */
export interface Labels {
  /** A table with a narrow row a label: its number, `label`, from 0, `id` and `time`; a match may add columns to it. */
  readonly table: string;
  /** The labels' time there, in microseconds; undefined: labels without time take the newest rows. */
  readonly time: string | undefined;
  /** The label rows' number of a key tuple; NULL when a key is NULL. */
  readonly id: string;
  /** A table with one row a key tuple of the labels: `id`, `k0`, `k1`, ... */
  readonly keys: string;
  /** The number is the only key itself. */
  readonly numbered: boolean;
  /** Smallest and largest label time in microseconds; without any, not of type bigint. */
  readonly range: readonly unknown[];
  /** Most labels that a key tuple has. */
  readonly perKey: number;
  /** Only rows that were created by then. */
  readonly knownAt: boolean;
}

/** The pairs of columns, of the labels (`s`, or `t` for their narrow rows) and of `<prefix>_rows`, by which a label finds its row. */
export type JoinCondition = readonly (readonly [label: string, row: string])[];

/**
 * Leaves `<prefix>_rows`: event in microseconds, created where there is one, c0, c1, ..., with the columns by which labels find their row: those of
 * the condition that is returned. First keys and times alone are matched, then the values of the matches are read.
 */
export async function matchView(
  c: Connection,
  view: JoinedView,
  prefix: string,
  labels: Labels,
): Promise<JoinCondition> {
  const source = await sourceOf(c, view, labels);
  if (matchesInTime(view, labels.time))
    // Rows that become known later than they happened are not ordered by one time: sorting does that.
    return labels.perKey <= MOST_LABELS_PER_KEY && !labels.knownAt
      ? await matchByPairs(c, view, prefix, labels, source)
      : await matchBySorting(c, view, prefix, labels, source);
  const all = `SELECT k.id, ${source.columns.join(', ')} FROM ${source.from} JOIN ${labels.keys} k ON ${source.equal('k')}${source.where}`;
  await c.run(`CREATE TEMP TABLE ${prefix}_rows AS ${firstOf(all, ['id'], rowOrder(view))}`);
  return [[`s.${labels.id}`, 'id']];
}
