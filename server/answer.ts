import type { StoredRows } from '../providers/online/provider.js';
import type { Plan } from './plan.js';
import { EPOCH_TEXT, storedTime } from './time-text.js';
import { valueText } from './value-text.js';

/** How statuses are told: as they are, or as Feast's Python server does, to which every value is PRESENT. */
export type StatusRule = 'truthful' | 'feast-python';

/** Values by their statuses, a count a view. */
export interface StatusCounts {
  readonly view: string;
  readonly counts: Readonly<Record<Status, number>>;
}

export type Status = 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE' | 'INVALID';

const PRESENT = '"PRESENT"';
/** The start of what the store has in place of a row, and is none. */
const NO_ROW = -2;

/** A column of the answer that repeats what was asked: a join key. */
export interface EchoedKey {
  readonly name: string;
  /** The values as JSON, with commas between. */
  readonly text: string;
}

/** One view's rows, looked at once for all of its features. */
interface ReadRows {
  readonly stored: StoredRows;
  /** JSON of the event times, with commas between. */
  readonly times: string;
  /** An entity each: whether there is a row, and whether it is older than the view's TTL. */
  readonly has: readonly boolean[];
  readonly isOld: readonly boolean[] | undefined;
  readonly counts: Record<Status, number>;
}

/** The JSON of an answer as Feast's server writes it: join keys first, then the features in the order in which they were asked for. */
export function answerText(
  plan: Plan,
  rows: number,
  echoed: readonly EchoedKey[],
  stored: readonly StoredRows[],
  options: { readonly rule: StatusRule; readonly withViews: boolean; readonly now: number },
): { readonly text: string; readonly statuses: readonly StatusCounts[] } {
  const isTruthful = options.rule === 'truthful';
  const reads = plan.reads.map(({ served }, r) =>
    lookAt(stored[r] ?? NO_ROWS, rows, served.ttl, options.now),
  );
  const present = repeated(PRESENT, rows);
  const results = echoed.map(({ text }) => result(text, present, repeated(EPOCH_TEXT, rows)));
  for (const { read, place } of plan.columns) {
    const found = reads[read];
    if (found) results.push(column(found, place, rows, isTruthful ? undefined : present));
  }
  const keys = echoed.map(({ name }) => JSON.stringify(name));
  const names = [...keys, ...(plan.names === '' ? [] : [plan.names])].join(',');
  const views = options.withViews ? `,"feature_view_metadata":[${plan.views}]` : '';
  return {
    text: `{"results":[${results.join(',')}],"metadata":{"feature_names":[${names}]${views}}}`,
    statuses: plan.reads.map(({ served }, r) => ({
      view: served.name,
      counts: reads[r]?.counts ?? noCounts(),
    })),
  };
}

const NO_ROWS: StoredRows = { bytes: Buffer.alloc(0), at: new Int32Array(0), first: 0, stride: 0 };

const result = (values: string, statuses: string, times: string): string =>
  `{"values":[${values}],"statuses":[${statuses}],"event_timestamps":[${times}]}`;

const noCounts = (): Record<Status, number> => ({
  ...{ PRESENT: 0, NULL_VALUE: 0, NOT_FOUND: 0, OUTSIDE_MAX_AGE: 0, INVALID: 0 },
});

function lookAt(stored: StoredRows, rows: number, ttl: number, now: number): ReadRows {
  const { bytes, at, first, stride } = stored;
  const has: boolean[] = [];
  const isOld: boolean[] | undefined = ttl > 0 ? [] : undefined;
  let times = '';
  for (let i = 0; i < rows; i++) {
    const place = first + i * stride;
    const start = at[place] ?? -1;
    if (i > 0) times += ',';
    has.push(start >= 0);
    if (start < 0) {
      times += EPOCH_TEXT;
      isOld?.push(false);
    } else {
      const time = storedTime(bytes, start, at[place + 1] ?? start);
      times += time.text;
      isOld?.push(now - time.micros > ttl);
    }
  }
  return { stored, times, has, isOld, counts: noCounts() };
}

/** One feature's column; `statuses` where they are the same for all values. */
function column(
  { stored: { bytes, at, first, stride }, times, has, isOld, counts }: ReadRows,
  place: number,
  rows: number,
  statuses: string | undefined,
): string {
  let values = '';
  let told = '';
  for (let i = 0; i < rows; i++) {
    const where = first + i * stride + 2 + 2 * place;
    const start = at[where] ?? -1;
    const isThere = start >= 0 && (has[i] === true || statuses !== undefined);
    const text = isThere
      ? valueText(bytes, start, at[where + 1] ?? start)
      : start === NO_ROW
        ? undefined
        : 'null';
    const status: Status =
      text === undefined
        ? 'INVALID'
        : !isThere
          ? 'NOT_FOUND'
          : isOld?.[i] === true
            ? 'OUTSIDE_MAX_AGE'
            : text === 'null'
              ? 'NULL_VALUE'
              : 'PRESENT';
    counts[status]++;
    if (i > 0) {
      values += ',';
      told += ',';
    }
    values += text ?? 'null';
    told += STATUS_TEXT[status];
  }
  return result(values, statuses ?? told, times);
}

const STATUS_TEXT: Readonly<Record<Status, string>> = {
  PRESENT,
  NULL_VALUE: '"NULL_VALUE"',
  NOT_FOUND: '"NOT_FOUND"',
  OUTSIDE_MAX_AGE: '"OUTSIDE_MAX_AGE"',
  INVALID: '"INVALID"',
};

/** A text so many times, with commas between. */
const repeated = (text: string, count: number): string =>
  count === 0 ? '' : `${text},`.repeat(count - 1) + text;
