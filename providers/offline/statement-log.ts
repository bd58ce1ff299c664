import { AsyncLocalStorage } from 'node:async_hooks';
import { messageOf } from '../../definitions/errors.js';
import { toldText } from '../../definitions/told-text.js';

/** One statement that was sent to an engine. It bears no rows: values are bound or lie in files. */
export interface Statement {
  /** ISO-8601 in UTC. */
  readonly at: string;
  /** What it was for, as messages call it. */
  readonly subject: string;
  readonly sql: string;
  /** Milliseconds; absent while it runs. */
  ms?: number;
  /** What the engine said, in its words. */
  error?: string;
}

const current = new AsyncLocalStorage<StatementLog>();

/** Statements that are kept of one attempt: the first and the last half of them. */
const MOST = 100;

/** What work sends to engines, also deep within: the engines' connections note it here. Bounded, and of no effect on the work. */
export class StatementLog {
  readonly statements: Statement[] = [];
  /** Statements that were left out of the middle. */
  omitted = 0;
  /** Raised by each change. */
  changes = 0;

  /** Runs `work`; what it and all that it awaits sends is noted. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return current.run(this, work);
  }

  /** Notes a statement. One that is `minor` is forgotten when it ends well. */
  begin(subject: string, sql: string, isMinor: boolean): (error?: unknown) => void {
    const began = performance.now();
    const statement: Statement = { at: new Date().toISOString(), subject, sql: toldText(sql) };
    this.changes++;
    this.statements.push(statement);
    if (this.statements.length > MOST) {
      this.statements.splice(MOST / 2, 1);
      this.omitted++;
    }
    return (error) => {
      this.changes++;
      statement.ms = Math.round(performance.now() - began);
      const at = error === undefined && isMinor ? this.statements.indexOf(statement) : -1;
      if (at >= 0) this.statements.splice(at, 1);
      if (error !== undefined) statement.error = toldText(messageOf(error).trim());
    };
  }
}

const nothing = (): void => undefined;

/** What an engine is told about itself, and what Granary asks of its catalogue, says nothing of a step. */
const HOUSEKEEPING = /^\s*(SET|BEGIN|COMMIT|ROLLBACK)\b|\bpg_catalog\.|\bpg_(backend_pid|type|attribute)\b/;
/** Looks at columns and profiles are many, and of interest only where they fail. */
const MINOR = /^\s*(DESCRIBE|DROP)\b/;

/**
 * Notes that a statement is sent; what it returns is called with the end, and the error where it failed. A statement that is only `prepared` is kept
 * when it fails.
 */
export function noteStatement(subject: string, sql: string, prepared = false): (error?: unknown) => void {
  const log = current.getStore();
  if (!log || HOUSEKEEPING.test(sql)) return nothing;
  return log.begin(subject, sql, prepared || MINOR.test(sql) || subject.startsWith('Profiling'));
}
