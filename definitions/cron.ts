import { CronExpressionParser } from 'cron-parser';
import { GranaryError, messageOf } from './errors.js';

/** The values of a cron expression's five fields, ascending. */
export interface CronFields {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly daysOfMonth: readonly number[];
  /** 1 to 12. */
  readonly months: readonly number[];
  /** 0 to 6 from Sunday. */
  readonly daysOfWeek: readonly number[];
}

const NAMES = /jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat/gi;
const known = new Map<string, CronFields>();

/**
 * Reads a cron expression of five fields: numbers, names of months and days, lists, ranges and steps. Temporal is given these values, not the
 * text, so that both mean the same by it.
 * @throws GranaryError `InvalidDefinition`: another grammar, a value out of range, or days both of the month and of the week.
 */
export function cronFields(cron: string): CronFields {
  const found = known.get(cron);
  if (found) return found;
  const refuse = (why: string, cause?: unknown): GranaryError =>
    new GranaryError('InvalidDefinition', `The schedule "${cron}" is not valid: ${why}.`, { cause });
  if (cron.trim().split(/\s+/).length !== 5)
    throw refuse(
      'it must have five fields, such as "0 0 * * *": minute, hour, day of month, month, day of week',
    );
  // What only some tools understand: L, W, # and H.
  const strange = /[a-z#]/i.exec(cron.replaceAll(NAMES, ''))?.[0];
  if (strange !== undefined)
    throw refuse(
      `"${strange}" is not understood. A field holds numbers, names of months or days, lists (1,15), ranges (1-5) and steps (*/15)`,
    );
  let fields: ReturnType<typeof CronExpressionParser.parse>['fields'];
  try {
    ({ fields } = CronExpressionParser.parse(cron, { tz: 'UTC' }));
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  const numbers = ({ values }: { readonly values: readonly unknown[] }): number[] =>
    [...new Set(values.map(Number))].sort((a, b) => a - b);
  const read: CronFields = {
    minutes: numbers(fields.minute),
    hours: numbers(fields.hour),
    daysOfMonth: numbers(fields.dayOfMonth),
    months: numbers(fields.month),
    daysOfWeek: numbers({ values: fields.dayOfWeek.values.map((day) => Number(day) % 7) }),
  };
  if (read.daysOfMonth.length < 31 && read.daysOfWeek.length < 7)
    throw refuse(
      'it names days of the month and days of the week. To some tools that means either, to others both: write "*" for one of them',
    );
  known.set(cron, read);
  return read;
}
