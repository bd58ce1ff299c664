import { GranaryError } from '../definitions/errors.js';
import { intervalName } from '../definitions/interval.js';
import type { RecordedEvent } from '../registry/events.js';
import { workflowRunId } from '../registry/ownership.js';
import type { Registry } from '../registry/registry.js';
import type { RunDetail, RunFilter, RunSummary } from '../registry/run-history.js';
import { settle } from '../registry/settle.js';
import type { StepLog } from '../registry/step-logs.js';
import type { RunResult } from '../workflows/index.js';
import type { RunHandle } from './handles.js';
import { again } from './run-again.js';
import { runHandle } from './run-handle.js';
import { areOfOne, namedRuns, severalParts } from './run-parts.js';
import { describeRun, unplannedRun, type UnplannedRun } from './unplanned-run.js';
import type { Workflows } from './workflows.js';

/** A run that was found, and where Temporal's web interface shows it. */
export interface FoundRun extends RunDetail {
  /** Undefined where the address of the interface is not known: `TEMPORAL_UI_ADDRESS` names it. */
  readonly url: string | undefined;
  /** Deadlines that it, or a step of it, missed. */
  readonly deadlines: readonly RecordedEvent[];
}

/** What was cancelled. */
export interface Cancelled {
  readonly run: string;
  readonly workflowId: string;
  /** It makes several intervals: none that it has not made yet is made. */
  readonly several: boolean;
}

/** Matches that are looked at. */
const LOOKED_AT = 100;

/** What has run. A run is named by its run id or a unique prefix of it, by its workflow id, or `last`. */
export class RunCatalog {
  readonly #registry: Registry;
  readonly #workflows: Workflows;

  /** @internal */
  constructor(registry: Registry, workflows: Workflows) {
    this.#registry = registry;
    this.#workflows = workflows;
  }

  /** Runs, the newest first; those that Temporal closed without their saying so are settled before. */
  async list(filter: Partial<RunFilter> = {}): Promise<RunSummary[]> {
    await this.#settle();
    return await this.#registry.history.list({ limit: 20, ...filter });
  }

  /**
   * A run with its steps; of one that ended before it was planned, what Temporal knows of it: how it ended, and why.
   * @throws GranaryError `UnknownResource`; `InvalidInput` when several are meant.
   */
  async get(name: string): Promise<FoundRun | UnplannedRun> {
    await this.#settle();
    const found = await this.#find(name);
    return 'notes' in found ? found : await this.#detail(name, found);
  }

  async #detail(name: string, { run }: RunSummary): Promise<FoundRun> {
    const found = await this.#registry.history.detail(run);
    if (!found) throw unknown(name);
    const deadlines = await this.#registry.events.list({ run }, 100);
    return { ...found, deadlines, url: this.#workflows.url(found.workflowId, workflowRunId(run)) };
  }

  /** What a run's steps sent to engines and how their attempts ended, oldest first. @throws GranaryError as {@link get}. */
  async logs(
    name: string,
    { step }: { readonly step?: string } = {},
  ): Promise<{ readonly run: FoundRun | UnplannedRun; readonly logs: readonly StepLog[] }> {
    const run = await this.get(name);
    const known = run.steps.map((one) => one.step);
    const asked = step === undefined ? undefined : stepOf(known, step);
    return { run, logs: await this.#registry.logs.of(run.run, asked) };
  }

  /**
   * Starts what a run was asked for once more, for the same interval, as a run of its own.
   * @throws GranaryError `InvalidInput`: it is still open, it completed, or it is of a kind that is started by its own command.
   */
  async retry(name: string): Promise<RunHandle> {
    const run = await this.get(name);
    const { status, workflowId } = run;
    if (run.plan === undefined)
      throw new GranaryError(
        'InvalidInput',
        `The run ${run.run} (${workflowId}) ended ${status} before it was planned, and there is nothing to do again${run.error === undefined ? '' : `: ${run.error}`}. Start it anew with what is right.`,
      );
    const { interval } = run;
    if (run.endedAt === undefined)
      throw new GranaryError(
        'InvalidInput',
        `The run ${run.run} (${workflowId}) is still ${status}. Wait for its end, or cancel it first: granary runs cancel ${run.run}`,
      );
    if (status === 'COMPLETED')
      throw new GranaryError(
        'InvalidInput',
        `The run ${run.run} (${workflowId}) completed: there is nothing to retry. To make ${intervalName(interval)} again: granary run ${run.pipeline ?? '<pipeline>'} --from ${interval.start} --to ${interval.end} --rebuild`,
      );
    const { type, input, asked } = again(run);
    await this.#workflows.awaitWorker();
    const summary = `retry of ${workflowId}`.slice(0, 200);
    const started = await this.#workflows.start<RunResult>(type, asked, input, summary);
    return runHandle(this.#registry, this.#workflows, started);
  }

  /**
   * Asks a run to stop; it cleans up and ends as CANCELLED. Also one that no worker has begun, by its workflow id. Of a workflow run that makes several
   * intervals only the whole can be cancelled, by its own id.
   * @throws GranaryError `InvalidInput`: it has ended, is one part of several, or belongs to a backfill.
   */
  async cancel(name: string): Promise<Cancelled> {
    await this.#settle();
    const found = await this.#registry.history.matching(name, LOOKED_AT);
    const [first] = found;
    const recorded = areOfOne(found) ? first : found.length > 0 ? await this.#recorded(name) : undefined;
    const { run, workflowId } = recorded ?? (await this.#waiting(name));
    // One from Temporal's UI has an id of any form.
    const backfill =
      (await this.#registry.backfills.ofRun(workflowRunId(run)))?.id ??
      (workflowId.startsWith('backfill/') ? workflowId.split('/').at(-1) : undefined);
    if (backfill !== undefined)
      throw new GranaryError(
        'InvalidInput',
        `The run ${run} belongs to the backfill ${backfill}, all of whose intervals would end with it. Cancel the backfill: granary backfill cancel ${backfill}`,
      );
    const whole = workflowRunId(run);
    const isPart = recorded !== undefined && run !== whole;
    const isOpen = isPart
      ? (await this.#workflows.closedAs({ workflowId, id: whole })) === undefined
      : !recorded || recorded.endedAt === undefined;
    // Where it is one of several, the workflow may be open between two of them.
    if (recorded && (!isOpen || (isPart && isNameOfPart(name, whole) && recorded.endedAt !== undefined)))
      throw new GranaryError(
        'InvalidInput',
        `The run ${run} (${workflowId}) has ended ${recorded.status} at ${recorded.endedAt ?? ''}: there is nothing to cancel.`,
      );
    if (isPart && isNameOfPart(name, whole)) {
      const parts = await this.#registry.history.parts(whole, LOOKED_AT);
      throw new GranaryError(
        'InvalidInput',
        `The run ${run} is one interval of a run that makes several, all of which would end with it: ${namedRuns(parts)}. Cancel the whole: granary runs cancel ${whole}`,
      );
    }
    await this.#workflows.temporal.workflow.getHandle(workflowId, whole).cancel();
    return { run: whole, workflowId, several: isPart };
  }

  async #settle(): Promise<void> {
    // Whoever asks may be newer than the worker that ran last.
    await this.#registry.migrate();
    await settle(this.#registry, this.#workflows.closedAs);
  }

  /** A run that is recorded, or that ended before it could be. */
  async #find(name: string): Promise<RunSummary | UnplannedRun> {
    return (await this.#recorded(name)) ?? (await this.#unplanned(name));
  }

  async #recorded(name: string): Promise<RunSummary | undefined> {
    const found = await this.#registry.history.matching(name, LOOKED_AT);
    const [only, another] = found;
    if (!only || !another) return only;
    if (areOfOne(found)) throw severalParts(name, found.toReversed());
    throw new GranaryError(
      'InvalidInput',
      `"${name}" may mean ${found.length === LOOKED_AT ? 'many' : found.length} runs: ${namedRuns(found)}. Give one of these ids.`,
    );
  }

  /** A workflow that has been started, and that no worker has begun. */
  async #waiting(name: string): Promise<{ readonly run: string; readonly workflowId: string }> {
    const described = await describeRun(this.#workflows, name);
    if (described?.status.name === 'RUNNING')
      return { run: described.runId, workflowId: described.workflowId };
    const { run, workflowId, status, endedAt } = await this.#unplanned(name);
    throw new GranaryError(
      'InvalidInput',
      `The run ${run} (${workflowId}) has ended ${status} at ${endedAt}: there is nothing to cancel.`,
    );
  }

  async #unplanned(name: string): Promise<UnplannedRun> {
    const described = await describeRun(this.#workflows, name);
    if (!described) throw unknown(name);
    if (described.status.name === 'RUNNING')
      throw new GranaryError(
        'UnknownResource',
        `The run ${name} has been started, and no worker has begun it yet. Start one: granary worker`,
      );
    return await unplannedRun(this.#workflows, described);
  }
}

/** Whether a name means one part of a workflow run alone, not the whole: `last` is the part that began last. */
const isNameOfPart = (name: string, whole: string): boolean =>
  name === 'last' || name.toLowerCase().startsWith(`${whole}.`);

const unknown = (name: string): GranaryError =>
  new GranaryError(
    'UnknownResource',
    `There is no run "${name}". Give a run id or the beginning of one, a workflow id, or "last"; granary runs list shows them.`,
  );

/** A step by its id or a part of it: `totals`, `source/totals`. */
function stepOf(known: readonly string[], asked: string): string {
  const exact = known.filter((id) => id === asked || id.replace(/\.[^.]*$/, '') === asked);
  const found = exact.length > 0 ? exact : known.filter((id) => id.includes(asked));
  const [only, another] = found;
  if (only !== undefined && another === undefined) return only;
  throw new GranaryError(
    'InvalidInput',
    `${only === undefined ? `The run has no step "${asked}"` : `"${asked}" may mean several steps`}. Its steps: ${(only === undefined ? known : found).join(', ')}.`,
  );
}
