import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { PRIORITIES } from '../definitions/priorities.js';
import type { BackfillPlan, BackfillRequest } from '../definitions/backfill.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalName, type Interval } from '../definitions/interval.js';
import { didYouMean } from '../definitions/names.js';
import { targetNames } from '../definitions/target.js';
import { feastProject } from '../definitions/project.js';
import { runName } from '../definitions/run-names.js';
import type { OpenProject } from '../providers/bind.js';
import type { Backfill, BackfillCounts } from '../registry/backfill.js';
import { outlookOf } from '../registry/backfill-plan.js';
import { coverageRanges, type CoverageRange } from '../registry/coverage-ranges.js';
import { definitionsOf, type Definitions } from '../registry/definitions.js';
import type { Registry } from '../registry/registry.js';
import { settle, settleBackfill } from '../registry/settle.js';
import type { RunStatus } from '../registry/tables.js';
import { caller } from './caller.js';
import type { Workflows } from './workflows.js';

/** How a backfill stands. */
export interface BackfillState {
  /** Its name: two words. */
  readonly name: string;
  readonly workflowId: string;
  /** `user@host`, or `Temporal UI`. */
  readonly by: string;
  /** When it was asked for, ISO-8601. */
  readonly at: string;
  readonly endedAt: string | undefined;
  readonly status: RunStatus;
  /** Who has paused it; undefined while it goes on. */
  readonly pausedBy: string | undefined;
  readonly error: string | undefined;
  /** What it was asked for. */
  readonly request: BackfillRequest;
  /** What it does; undefined until it was planned. */
  readonly plan: BackfillPlan | undefined;
  readonly intervals: BackfillCounts;
}

/** A backfill with its failures and holes. */
export interface BackfillDetail extends BackfillState {
  /** Every interval that failed, with why, and Temporal's ids where a run was recorded. */
  readonly failures: readonly {
    readonly interval: Interval;
    readonly error: string;
    readonly run: string | undefined;
  }[];
  /** Intervals that it has not begun, or that were cut off, oldest first. */
  readonly left: readonly Interval[];
}

/** What a backfill would do, and how long that may take. */
export interface BackfillPreview {
  readonly plan: BackfillPlan;
  /** How the intervals of the span stand, as ranges, oldest first. */
  readonly ranges: readonly CoverageRange[];
  /** The intervals that it would make, in its order. */
  readonly intervals: readonly Interval[];
  /** By the last runs of the pipeline that made something; without `ms` there was none. */
  readonly estimate: { readonly runs: number; readonly ms?: number };
}

/** A backfill that was started. */
export interface BackfillHandle {
  readonly name: string;
  readonly workflowId: string;
  /** How it stands now. */
  status(): Promise<BackfillDetail>;
  /** How it stands once it has ended, well or badly. */
  result(): Promise<BackfillDetail>;
}

/** Backfills: what they would do, how they stand, and what to tell them. */
export class Backfills {
  readonly #open: OpenProject;
  readonly #registry: Registry;
  readonly #workflows: Workflows;

  /** @internal */
  constructor(open: OpenProject, registry: Registry, workflows: Workflows) {
    this.#open = open;
    this.#registry = registry;
    this.#workflows = workflows;
  }

  /**
   * What names mean in a request: a pipeline's, or targets' (`user_features`, `view/user_features`).
   * @throws GranaryError `UnknownResource`.
   */
  async named(names: readonly string[]): Promise<Pick<BackfillRequest, 'pipeline' | 'targets'>> {
    const [name, another] = names;
    if (name === undefined) return {};
    await this.#registry.migrate();
    const { pipelines, resources } = await this.#definitions();
    if (another === undefined && pipelines.has(name)) return { pipeline: name };
    const known = new Set([...resources.values()].map((resource) => resource.name));
    const strange = names.find((each) => !resources.has(each) && !known.has(bareName(each)));
    if (strange === undefined) return { targets: names };
    throw new GranaryError(
      'UnknownResource',
      `There is no pipeline and no target "${strange}". ${didYouMean(bareName(strange), new Set([...pipelines.keys(), ...targetNames(resources)]))}`,
    );
  }

  /**
   * What a backfill would do now, by the registry alone: every interval and how it stands, those that it would make, and how long that may take by
   * the mean of past runs. Nothing is written.
   * @throws GranaryError `UnknownResource`, `InvalidInput`, `InvalidInterval`.
   */
  async plan(request: BackfillRequest): Promise<BackfillPreview> {
    const registry = this.#registry;
    await registry.migrate();
    await settle(registry, this.#workflows.closedAs);
    const outlook = await outlookOf(
      registry,
      await this.#definitions(),
      request,
      await registry.runs.clock(),
    );
    const { plan, coverage } = outlook;
    const { runs, meanMs } = await registry.backfills.pastRuns(plan.pipeline);
    const ms = meanMs === undefined ? undefined : (meanMs * plan.selected) / plan.concurrency;
    return {
      plan,
      ranges: coverageRanges(coverage),
      intervals: outlook.intervals.map(({ interval }) => interval),
      estimate: { runs, ...(ms === undefined ? {} : { ms }) },
    };
  }

  /** @internal Notes the request under a new name and starts `backfill/<project>_<env>/<pipeline>/<name>`. */
  async start(request: BackfillRequest): Promise<BackfillHandle> {
    const { plan } = await this.plan(request);
    await this.#workflows.awaitWorker();
    for (;;) {
      const name = runName(Math.random);
      const asked = [plan.pipeline, name];
      const workflowId = ['backfill', feastProject(this.#open.scope), ...asked].join('/');
      const by = caller();
      // Somebody may have the name.
      if (!(await this.#registry.backfills.add({ id: name, workflowId, by, request }))) continue;
      const what = plan.span === undefined ? '' : ` ${intervalName(plan.span)}`;
      const started = await this.#workflows.start<unknown>(
        'backfill',
        asked,
        { ...request, by, name },
        `${plan.pipeline}${what}`,
        PRIORITIES.backfill,
      );
      const result = async (): Promise<BackfillDetail> => {
        await started.result().catch((error: unknown) => {
          if (!(error instanceof WorkflowFailedError)) throw error;
        });
        return await this.status(name);
      };
      return { name, workflowId, status: () => this.status(name), result };
    }
  }

  /**
   * How a backfill stands, with every failure and what is left. One that Temporal closed without its saying so is settled.
   * @throws GranaryError `UnknownResource`.
   */
  async status(name: string): Promise<BackfillDetail> {
    const registry = this.#registry;
    const found = await this.#find(name);
    if (found.endedAt === undefined) {
      await settleBackfill(registry, this.#workflows.closedAs, found);
      // Those of its intervals that were cut off with it.
      if ((await registry.backfills.get(name))?.endedAt !== undefined)
        await settle(registry, this.#workflows.closedAs);
    }
    const backfill = (await registry.backfills.get(name)) ?? found;
    const failures = await registry.backfills.failures(name, Number.MAX_SAFE_INTEGER);
    const left = await registry.backfills.undone(name);
    return {
      ...(await this.#stateOf(backfill)),
      failures: failures.map(({ interval, error, run }) => ({ interval, error, run })),
      left: left.map(({ interval }) => interval),
    };
  }

  /** Backfills, newest first. Those that Temporal closed without their saying so are settled. */
  async list({ limit = 20 }: { readonly limit?: number } = {}): Promise<BackfillState[]> {
    const registry = this.#registry;
    await registry.migrate();
    await settle(registry, this.#workflows.closedAs);
    const states: BackfillState[] = [];
    for (const backfill of await registry.backfills.newest(limit)) states.push(await this.#stateOf(backfill));
    return states;
  }

  /**
   * Lets the intervals in flight end and begins no other, until it is resumed or cancelled. Asked again, it changes nothing.
   * @throws GranaryError `UnknownResource`; `InvalidInput` when it has ended.
   */
  async pause(name: string): Promise<void> {
    await this.#tell(name, (handle) => handle.signal('pause', caller()));
  }

  /** Goes on with a backfill that was paused. @throws GranaryError as {@link pause}. */
  async resume(name: string): Promise<void> {
    await this.#tell(name, (handle) => handle.signal('resume', caller()));
  }

  /**
   * Cancels a backfill: the intervals in flight are cancelled cleanly, those that were made stay, and the rest stays a hole.
   * @throws GranaryError as {@link pause}.
   */
  async cancel(name: string): Promise<void> {
    await this.#tell(name, (handle) => handle.cancel());
  }

  async #tell(name: string, what: (handle: Handle) => Promise<unknown>): Promise<void> {
    const ended = (status: string): GranaryError =>
      new GranaryError(
        'InvalidInput',
        `The backfill "${name}" has ended (${status}). Ask for a new one: what is missing is made then.`,
      );
    const { workflowId, endedAt, status } = await this.#find(name);
    if (endedAt !== undefined) throw ended(status);
    try {
      // Without a run id: it may have gone on as a new run.
      await what(this.#workflows.temporal.workflow.getHandle(workflowId));
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw ended((await this.status(name)).status);
      throw error;
    }
  }

  async #find(name: string): Promise<Backfill> {
    const { backfills } = this.#registry;
    await this.#registry.migrate();
    const found = await backfills.get(name);
    if (found) return found;
    const names = (await backfills.newest(50)).map(({ id }) => id);
    throw new GranaryError(
      'UnknownResource',
      names.length === 0
        ? `There is no backfill "${name}": none was ever asked for here.`
        : `There is no backfill "${name}". ${didYouMean(name, names)}`,
    );
  }

  async #stateOf(backfill: Backfill): Promise<BackfillState> {
    const { id, workflowId, by, at, endedAt, status, pausedBy, error, request, plan } = backfill;
    return {
      ...{ name: id, workflowId, by, at, endedAt, status, pausedBy, error, request, plan },
      intervals: await this.#registry.backfills.counts(id),
    };
  }

  async #definitions(): Promise<Definitions> {
    return await definitionsOf({ registry: this.#registry, project: this.#open.project });
  }
}

/** `user_features` of `view/user_features.v2`. */
const bareName = (text: string): string => text.replace(/^[^/]*\//, '').replace(/\..*$/, '');

type Handle = ReturnType<Workflows['temporal']['workflow']['getHandle']>;
