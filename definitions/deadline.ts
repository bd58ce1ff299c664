import { GranaryError } from './errors.js';
import { durationMicros } from './interval.js';

/** Durations after the end of an interval. */
export interface Deadline {
  /** From then on the work is reported as late, and goes on. */
  readonly warn?: string;
  /** Then it is cancelled, and its run ends as `DEADLINE_EXCEEDED`. */
  readonly cancel?: string;
}

/**
 * A deadline as it is declared; a text is `cancel`.
 * @throws GranaryError `InvalidDefinition`: an empty one, or a warning that does not come before the end.
 */
export function deadlineOf(owner: string, given: string | Deadline | undefined): Deadline | undefined {
  if (given === undefined) return undefined;
  const { warn, cancel }: Deadline = typeof given === 'string' ? { cancel: given } : given;
  const [early, late] = [warn, cancel].map((text) => (text === undefined ? undefined : durationMicros(text)));
  if (early === undefined && late === undefined)
    throw new GranaryError(
      'InvalidDefinition',
      `The deadline of the ${owner} is empty. Write "2h", or { warn: "1h", cancel: "2h" } with one of them or both.`,
    );
  if (early !== undefined && late !== undefined && early >= late)
    throw new GranaryError(
      'InvalidDefinition',
      `The deadline of the ${owner} warns after ${warn ?? ''}, which is not before it cancels (${cancel ?? ''}).`,
    );
  return { ...(warn === undefined ? {} : { warn }), ...(cancel === undefined ? {} : { cancel }) };
}
