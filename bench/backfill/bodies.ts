import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { covered, union, type Span } from '../pipeline/spans.js';

/** The activity bodies of a backfill's intervals, by interval; those that are of none (pages, the plan) are not counted. */
export class Bodies {
  readonly #parts = new Map<string, Span[]>();
  readonly #byName = new Map<string, number[]>();

  /** For `Worker.create`: sees every attempt of every activity, local ones as well. */
  readonly interceptors: ActivityInterceptorsFactory = ({ info }) => ({
    inbound: {
      execute: async (input, next) => {
        const from = performance.now();
        try {
          return await next(input);
        } finally {
          const to = performance.now();
          const part = partOf(input.args[0], info.workflowExecution?.runId ?? '');
          if (part !== undefined) {
            this.#parts.set(part, [...(this.#parts.get(part) ?? []), { from, to }]);
            this.#byName.set(info.activityType, [...(this.#byName.get(info.activityType) ?? []), to - from]);
          }
        }
      },
    },
  });

  /** Milliseconds in which a body of the interval ran, summed over all intervals. */
  get ms(): number {
    return [...this.#parts.values()].reduce((sum, spans) => sum + covered(union(spans)), 0);
  }

  get parts(): number {
    return this.#parts.size;
  }

  /** Mean milliseconds of a body, by activity, the costliest first. */
  get means(): readonly (readonly [activity: string, ms: number, times: number])[] {
    return [...this.#byName]
      .map(([name, all]) => [name, all.reduce((a, b) => a + b, 0) / all.length, all.length] as const)
      .sort((a, b) => b[1] * b[2] - a[1] * a[2]);
  }
}

/** The part of the run that a request is of: the first one names it, the others bear its run. */
function partOf(request: unknown, runId: string): string | undefined {
  const { part, run } = (request ?? {}) as { readonly part?: string; readonly run?: { readonly id: string } };
  return part === undefined ? run?.id : `${runId}.${part}`;
}
