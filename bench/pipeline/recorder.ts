import { AsyncLocalStorage } from 'node:async_hooks';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { Span } from './spans.js';

/** What an activity waits for, in the order in which a moment that several cover is counted. */
export const SYSTEMS = ['engine', 'online', 'registry', 'files', 'slot'] as const;
export type System = (typeof SYSTEMS)[number];

/** One activity body that ran, and its stretches of waiting. */
export interface Body extends Span {
  readonly activity: string;
  /** Temporal's id of the activity within its run. */
  readonly activityId: string;
  readonly runId: string;
  /** `transform route_features`; undefined for the run's first and last activity. */
  readonly step: string | undefined;
  readonly waits: readonly (Span & { readonly system: System })[];
}

type Open = Body & { readonly waits: (Span & { readonly system: System })[] };

/** The clock of this process, in the time of the server's events: milliseconds since the epoch, with fractions. */
const now = (): number => performance.timeOrigin + performance.now();

/** Notes when activity bodies run, and when a body waits for one of the systems. */
export class Recorder {
  readonly #current = new AsyncLocalStorage<Open>();
  readonly #bodies: Body[] = [];

  /** For `Worker.create`: sees every attempt of every activity, local ones as well. */
  readonly interceptors: ActivityInterceptorsFactory = ({ info }) => ({
    inbound: {
      execute: async (input, next) => {
        const open: Open = {
          activity: info.activityType,
          activityId: info.activityId,
          runId: info.workflowExecution?.runId ?? '',
          step: stepName(input.args[0]),
          waits: [],
          from: now(),
          to: 0,
        };
        try {
          return await this.#current.run(open, () => next(input));
        } finally {
          this.#bodies.push({ ...open, to: now() });
        }
      },
    },
  });

  /** The bodies of a run, and forgets them. */
  take(runId: string): Body[] {
    const taken = this.#bodies.filter((body) => body.runId === runId);
    this.#bodies.length = 0;
    return taken;
  }

  /**
   * Replaces methods by ones that note how long each call takes until it returns or its promise settles. Calls from outside of activities
   * are not noted.
   */
  watch(system: System, owner: object, methods: readonly string[]): void {
    const begin = (): (() => void) | undefined => {
      const body = this.#current.getStore();
      const from = now();
      return body && (() => void body.waits.push({ system, from, to: now() }));
    };
    for (const method of methods) {
      const original: unknown = Reflect.get(owner, method);
      if (typeof original !== 'function') throw new Error(`${system} has no method ${method} any more.`);
      const watched = function (this: unknown, ...args: unknown[]): unknown {
        const end = begin();
        if (!end) return Reflect.apply(original, this, args);
        let result: unknown;
        try {
          result = Reflect.apply(original, this, args);
        } catch (error) {
          end();
          throw error;
        }
        if (result instanceof Promise) result.then(end, end);
        else end();
        return result;
      };
      Object.defineProperty(owner, method, { value: watched, configurable: true, writable: true });
    }
  }
}

/** The step that a request is for: every request of a step names it. */
function stepName(request: unknown): string | undefined {
  if (typeof request !== 'object' || request === null || !('step' in request)) return undefined;
  const { kind, name } = request.step as { readonly kind: string; readonly name: string };
  return `${kind} ${name}`;
}
