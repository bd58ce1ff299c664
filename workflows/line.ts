import { condition } from '@temporalio/workflow';
import type { PlanStep } from '../definitions/plan.js';

/** One interval in flight. */
interface Part {
  readonly position: number;
  /** Ids of its steps that have ended, well or badly. */
  readonly ended: Set<string>;
}

/** The intervals that are in flight, in the order of the calendar: what reads those before its own waits for them. */
export class Line {
  readonly #parts = new Set<Part>();

  /** An interval begins. Those before it have begun, or are not made here. */
  enter(position: number): Part {
    const part = { position, ended: new Set<string>() };
    this.#parts.add(part);
    return part;
  }

  leave(part: Part): void {
    this.#parts.delete(part);
  }

  /** Resolves once every interval in flight before this one is done with what the step depends on. */
  async before(part: Part, { dependsOn }: PlanStep): Promise<void> {
    const isDone = (other: Part): boolean =>
      other.position >= part.position || dependsOn.every((id) => other.ended.has(id));
    await condition(() => [...this.#parts].every(isDone));
  }
}
