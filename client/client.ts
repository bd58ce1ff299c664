import type { ApplyPlan } from '../definitions/apply-plan.js';
import type { FeatureView } from '../definitions/feature-view.js';
import type { BackfillRequest } from '../definitions/backfill.js';
import { intervalName } from '../definitions/interval.js';
import type { Pipeline } from '../definitions/pipeline.js';
import type { AnySource, Source } from '../definitions/source.js';
import type { TrainingSet } from '../definitions/training-set.js';
import type { Row, Schema, Value } from '../definitions/types.js';
import { openProject, type OpenProject } from '../providers/bind.js';
import { openRegistry, type Registry } from '../registry/registry.js';
import { refuseChanged } from '../registry/resources.js';
import type { Run } from '../registry/runs.js';
import { settle } from '../registry/settle.js';
import type { StaleInterval } from '../registry/stale.js';
import type {
  PipelineInput,
  PromoteInput,
  RemovalOutcome,
  RollbackInput,
  RunResult,
  TrainingSetInput,
} from '../workflows/index.js';
import { Backfills, type BackfillHandle } from './backfills.js';
import { planOf, readApply, startApply, type ApplyHandle, type ApplyState } from './apply.js';
import { caller } from './caller.js';
import { sourceRows, trainingExamples, type SourceRows, type TrainingExamples } from './examples.js';
import {
  readVectors,
  type EntityValues,
  type FeatureReference,
  type NamedFeatures,
  type OneEntity,
} from './feature-vectors.js';
import type { EntityRows } from './entity-rows.js';
import {
  historicalFeatures,
  type HistoricalFeaturesOptions,
  type HistoricalRow,
  type HistoricalRows,
} from './historical-features.js';
import { readFeatures, type EntityKeys, type OnlineFeatures } from './features.js';
import { planProject, type PlanOptions, type ProjectPlan } from './plan.js';
import type { Vector } from './printed.js';
import type { GranaryClientOptions, RemovalHandle, RunHandle } from './handles.js';
import { startMaterialize, type MaterializeOptions } from './loads.js';
import { checkProviders, type ProviderHealth } from './provider-health.js';
import { ResourceCatalog } from './resources.js';
import { pipelineAsked } from './run-again.js';
import { runHandle } from './run-handle.js';
import { severalParts } from './run-parts.js';
import { RunCatalog } from './runs.js';
import { Schedules } from './schedules.js';
import { openTrainingRows, type VersionChoice } from './training-rows.js';
import { listVersions, staleOf, type FeatureSetVersion } from './versions.js';
import { describeRun, unplannedRun, type UnplannedRun } from './unplanned-run.js';
import { verifyView, type Verification } from './verify.js';
import { Workflows, type Started } from './workflows.js';

const isView = (asked: FeatureView | readonly FeatureReference[]): asked is FeatureView =>
  !Array.isArray(asked);

/** A definition's name as readers find it: with its variant where it has one of its own. */
const nameOf = ({ name, variant }: { readonly name: string; readonly variant?: string }): string =>
  variant === undefined ? name : `${name}.${variant}`;

/** Starts runs and reads what they made. Close it when done. */
export class GranaryClient {
  readonly #open: OpenProject;
  readonly #registry: Registry;
  readonly #workflows: Workflows;
  readonly #joined = new Set<AsyncDisposable>();
  #resources: ResourceCatalog | undefined;
  /** Backfills: what they would do, how they stand, and what to tell them. */
  readonly backfills: Backfills;
  /** Temporal's schedules of the project's pipelines: apply, list, describe, pause, resume, trigger, delete. */
  readonly schedules: Schedules;

  private constructor(open: OpenProject, workflows: Workflows) {
    this.#open = open;
    this.#registry = openRegistry(open.registry);
    this.#workflows = workflows;
    this.backfills = new Backfills(open, this.#registry, workflows);
    this.schedules = new Schedules(open, workflows);
  }

  /**
   * Connects to Temporal by its usual configuration (`TEMPORAL_ADDRESS`, ..., temporal.toml).
   * @throws GranaryError `ProviderUnreachable` when Temporal does not answer.
   */
  static async connect(options: GranaryClientOptions): Promise<GranaryClient> {
    return await GranaryClient.over(openProject(options.project, options.environment), options.taskQueue);
  }

  /**
   * Connects as {@link connect} does, for a project that is open already; closing the client closes its providers.
   * @internal
   */
  static async over(open: OpenProject, taskQueue?: string): Promise<GranaryClient> {
    return new GranaryClient(open, await Workflows.connect(open.scope, taskQueue));
  }

  /**
   * Starts a pipeline for one interval. The workflow's id is for reading: `pipeline/flights_dev/flights_daily/2001-03-04`, with the project and
   * environment in it because several may share a namespace. A run of the same that is still open is joined.
   */
  async run(pipeline: Pipeline | string, input: Omit<PipelineInput, 'pipeline'> = {}): Promise<RunHandle> {
    const name = typeof pipeline === 'string' ? pipeline : pipeline.name;
    const id = pipelineAsked(name, input);
    return this.#run(
      await this.#workflows.start<RunResult>(
        'pipeline',
        id,
        { pipeline: name, ...input },
        id.slice(0, 2).join(' '),
      ),
    );
  }

  #run(started: Started<RunResult>): RunHandle {
    return runHandle(this.#registry, this.#workflows, started);
  }

  /**
   * Loads views online, in one run, from the versions that are recorded: whatever their stores lack by the ledger (gaps and days that were built
   * again late as well), or what of it lies in a window. Nothing is built. Views of raw sources take their rows as they are now.
   * @throws GranaryError `ProviderUnreachable` when no worker polls the task queue.
   */
  async materialize(options: MaterializeOptions = {}): Promise<RunHandle> {
    await this.#workflows.awaitWorker();
    return this.#run(await startMaterialize(this.#workflows, options));
  }

  /**
   * Builds a training set for one interval (by default the last complete one of the pipeline that makes it), with everything that it needs; or, `asOf` an
   * instant, from the versions that were recorded then.
   * @throws GranaryError `ProviderUnreachable` when no worker polls the task queue.
   */
  async buildTrainingSet(
    set: TrainingSet | string,
    input: Omit<TrainingSetInput, 'trainingSet'> = {},
  ): Promise<RunHandle> {
    const name = typeof set === 'string' ? set : nameOf(set);
    await this.requireWorker();
    const { asOf, date, from, to, rebuild } = input;
    const ends = from === undefined || to === undefined ? 'last' : intervalName({ start: from, end: to });
    const which = asOf === undefined ? (date ?? ends) : `as of ${asOf}`;
    const id = [name, which.replaceAll(' ', '_'), ...(rebuild === true ? ['rebuild'] : [])];
    return this.#run(
      await this.#workflows.start<RunResult>(
        'trainingSet',
        id,
        { trainingSet: name, ...input },
        `${name} ${which}`,
      ),
    );
  }

  /**
   * Makes the intervals of a pipeline's schedule within a span, some at a time, by default those that were never made. The workflow goes on
   * without this process, and gives way to what schedules start. See `backfills` for how it stands, and to pause, resume or cancel it.
   * @throws GranaryError `UnknownResource`, `InvalidInput`, `InvalidInterval`; `ProviderUnreachable` when no worker polls the task queue.
   */
  async backfill(request: BackfillRequest): Promise<BackfillHandle> {
    return await this.backfills.start(request);
  }

  /** The intervals of a training set that late or corrected rows upstream have touched; building each anew restores what one whole build has. */
  async staleIntervals(set: TrainingSet | string): Promise<StaleInterval[]> {
    return await staleOf(this.#registry, typeof set === 'string' ? set : nameOf(set));
  }

  /**
   * Puts the bytes of an earlier version of a feature set's newest interval back, as a new version, and brings the views over it up to date
   * online. Without `version` it is the newest earlier one with other rows. Who called, and `reason`, are kept in the registry.
   * @throws GranaryError `ProviderUnreachable` when no worker polls the task queue.
   */
  async rollback(
    featureSet: AnySource | string,
    { version, reason }: { readonly version?: string; readonly reason?: string } = {},
  ): Promise<RunHandle> {
    const name = typeof featureSet === 'string' ? featureSet : featureSet.name;
    await this.requireWorker();
    const input: RollbackInput = {
      featureSet: name,
      by: caller(),
      ...(version === undefined ? {} : { version }),
      ...(reason === undefined ? {} : { reason }),
    };
    const to = version === undefined ? [] : [version];
    const summary = ['roll', name, 'back', ...to.map((of) => `to ${of}`)].join(' ');
    return this.#run(await this.#workflows.start<RunResult>('rollback', [name, ...to], input, summary));
  }

  /**
   * Makes a variant the default of its name: its rows are loaded online under the plain name, then names in files and in Feast change places.
   * `previous` in the place of a variant undoes the last promotion. Who called, and `reason`, are kept in the registry.
   * @throws GranaryError `ProviderUnreachable` when no worker polls the task queue.
   */
  async promote(
    name: string,
    options: ({ readonly variant: string } | { readonly previous: true }) & { readonly reason?: string },
  ): Promise<RunHandle> {
    await this.requireWorker();
    const input: PromoteInput = { name, by: caller(), ...options };
    const what = 'variant' in options ? options.variant : 'previous';
    return this.#run(
      await this.#workflows.start<RunResult>('promote', [name, what], input, `promote ${name} to ${what}`),
    );
  }

  /** The versions of a feature set's newest interval, newest generation first, with who rolled back what and why. */
  async versions(featureSet: AnySource | string): Promise<FeatureSetVersion[]> {
    return await listVersions(this.#registry, typeof featureSet === 'string' ? featureSet : featureSet.name);
  }

  /**
   * Checks that a worker polls the task queue. Temporal forgets a worker five minutes after its last poll.
   * @throws GranaryError `ProviderUnreachable`.
   */
  async requireWorker(): Promise<void> {
    await this.#workflows.requireWorker();
  }

  /**
   * Compares the newest rows of a view's source with what its online store holds: a sample of the entities, or `all`. Reads only, in this process.
   * @throws GranaryError `UnknownResource`; `InvalidInput` when the view is not served online; `SourceMissing` when there is nothing yet.
   */
  async verify(view: FeatureView | string, options: { readonly all?: boolean } = {}): Promise<Verification> {
    return await verifyView(
      { open: this.#open, registry: this.#registry },
      typeof view === 'string' ? view : nameOf(view),
      options,
    );
  }

  /**
   * A run as the registry has it; a workflow that closed without recording its end counts as Temporal closed it. Of one that ended before it was
   * planned, what Temporal knows: how it ended, and why. Undefined: there is none of that id, or no worker has begun it.
   * @throws GranaryError `InvalidInput` for a workflow run that makes several intervals: it names its parts, each of which can be asked for.
   */
  async status(runId: string): Promise<Run | UnplannedRun | undefined> {
    // The first run of all may not have begun yet.
    await this.#registry.migrate();
    const run = await this.#registry.runs.get(runId);
    if (!run) {
      const parts = await this.#registry.history.parts(runId, 1000);
      if (parts.length > 0) throw severalParts(runId, parts);
      const described = await describeRun(this.#workflows, runId);
      return described && described.status.name !== 'RUNNING'
        ? await unplannedRun(this.#workflows, described)
        : undefined;
    }
    if (run.endedAt !== undefined) return run;
    await settle(this.#registry, this.#workflows.closedAs);
    return await this.#registry.runs.get(runId);
  }

  /**
   * Says what {@link apply} would do, against what is registered now: nothing is written.
   * @throws GranaryError `InvalidDefinition`.
   */
  async planApply(): Promise<ApplyPlan> {
    return await planOf(this.#open, this.#registry);
  }

  /**
   * Says what {@link apply} would do and which intervals of the project's pipelines are not valid, and why: nothing is made. Only the registry is asked.
   * @throws GranaryError `UnknownResource`: no such pipeline; `InvalidDefinition`.
   */
  async plan(options: PlanOptions = {}): Promise<ProjectPlan> {
    return await planProject(this.#open, this.#registry, this.#workflows.closedAs, options);
  }

  /**
   * Applies the project: registers its definitions and has what is new or failed made, by a worker. Who called is kept in the registry.
   * @throws GranaryError `ResourceChanged` with every refusal, `InvalidDefinition`; `ProviderUnreachable` when no worker polls the task queue.
   */
  async apply(): Promise<ApplyHandle> {
    const plan = await this.planApply();
    refuseChanged(plan.refused);
    await this.#workflows.awaitWorker();
    const started = await startApply(this.#open, this.#registry, this.#workflows);
    const { run, workflowId } = started;
    const status = (): Promise<ApplyState> => this.applyStatus(run);
    return { run, workflowId, plan, status, result: () => started.ended().then(status) };
  }

  /**
   * How an apply stands, by its run name: every resource with its status and error. One that Temporal closed without its saying so is settled.
   * @throws GranaryError `UnknownResource`.
   */
  async applyStatus(run: string): Promise<ApplyState> {
    return await readApply(this.#registry, this.#workflows.closedAs, run);
  }

  /** The health of the providers of the project, or of one: reached from this machine. */
  async checkProviders(name?: string): Promise<ProviderHealth[]> {
    return await checkProviders(this.#open, name);
  }

  /** The online values of a view for some entities, in their order; a value that is not there is null. */
  features<K extends Schema, F extends Schema>(
    view: FeatureView<K & FeatureView['entities'][number]['joinKeys'], F>,
    entities: readonly EntityKeys<K>[],
  ): Promise<OnlineFeatures<F>[]>;
  /**
   * The values of some features for one entity, in order and by name: `[319]`; for several, one such list an entity. What is not there is null.
   * Features are views, selections of them, or names; an entity with one join key may be given by its own name.
   */
  async features<const R extends readonly FeatureReference[]>(
    features: R,
    entity: OneEntity,
  ): Promise<Vector<NamedFeatures<R>>>;
  async features<const R extends readonly FeatureReference[]>(
    features: R,
    entities: EntityValues | readonly OneEntity[],
  ): Promise<Vector<NamedFeatures<R>>[]>;
  async features(
    asked: FeatureView | readonly FeatureReference[],
    entities: EntityValues | readonly EntityValues[],
  ): Promise<unknown> {
    if (!isView(asked)) return await readVectors(this.#open, this.#registry, asked, entities);
    return await readFeatures(
      this.#open,
      this.#registry,
      asked.name,
      entities as readonly Readonly<Record<string, Value>>[],
    );
  }

  /**
   * A training set: the current versions of all its intervals, oldest first, or the one that is chosen. `for await (const { features, label } of
   * client.trainingSet(x))` reads its rows; awaited, it has whole rows, their addresses and the schema.
   */
  trainingSet<R, N extends string>(set: TrainingSet<R, N>, options?: VersionChoice): TrainingExamples<R, N>;
  trainingSet(
    set: string,
    options?: VersionChoice,
  ): TrainingExamples<Readonly<Record<string, unknown>>, string>;
  trainingSet(
    set: TrainingSet | string,
    options: VersionChoice = {},
  ): TrainingExamples<Readonly<Record<string, unknown>>, string> {
    const name = typeof set === 'string' ? set : nameOf(set);
    return trainingExamples(this.#registry, () =>
      openTrainingRows(this.#open, this.#registry, name, options),
    );
  }

  /** The rows of a version of a feature set or a transformation, by default that of the newest interval. */
  featureSet<S extends Schema>(set: Source<S>, options?: VersionChoice): SourceRows<Row<S>>;
  featureSet(set: string, options?: VersionChoice): SourceRows<Row>;
  featureSet(set: Source | string, options: VersionChoice = {}): SourceRows<Row> {
    const name = typeof set === 'string' ? set : nameOf(set);
    return sourceRows(() => openTrainingRows(this.#open, this.#registry, name, options, 'source'));
  }

  /**
   * The caller's rows with features as they were at each row's time, by the point-in-time rule over what the sources hold now: the caller's columns
   * and rows in their order, then the features. Joined in this process.
   */
  historicalFeatures<
    const E extends EntityRows,
    const F extends readonly FeatureReference[],
    const Full extends boolean = false,
  >(options: HistoricalFeaturesOptions<E, F, Full>): HistoricalRows<HistoricalRow<E, F, Full>> {
    const rows = historicalFeatures<HistoricalRow<E, F, Full>>(
      { open: this.#open, registry: this.#registry },
      options,
      () => this.#joined.delete(rows),
    );
    this.#joined.add(rows);
    return rows;
  }

  /** What is registered: list, get, search, lineage, versions, history. */
  get resources(): ResourceCatalog {
    return (this.#resources ??= new ResourceCatalog(this.#open, this.#registry));
  }

  /**
   * Deletes a resource that nothing depends on: its definition, its versions, its values online. Resolves when all is gone.
   * @throws GranaryError `ProviderUnreachable` when no worker polls the task queue.
   */
  async remove(resource: string, { reason }: { readonly reason?: string } = {}): Promise<RemovalHandle> {
    const { id } = await this.resources.get(resource);
    await this.requireWorker();
    const input = { resource: id, by: caller(), ...(reason === undefined ? {} : { reason }) };
    return await this.#workflows.start<RemovalOutcome>('remove', [id], input, `delete ${id}`);
  }

  /** What has run: list, get, logs, retry, cancel. */
  get runs(): RunCatalog {
    return new RunCatalog(this.#registry, this.#workflows);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#joined].map((rows) => rows[Symbol.asyncDispose]()));
    await Promise.all([this.#registry.close(), this.#open.providers.close(), this.#workflows.close()]);
  }
}
