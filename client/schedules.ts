import { ScheduleNotFoundError } from '@temporalio/client';
import type { PipelineSpec } from '../definitions/contract.js';
import { difference } from '../definitions/diff.js';
import { requireEnded } from '../definitions/ended-intervals.js';
import { GranaryError } from '../definitions/errors.js';
import { intervalOfDate, lastCompleteInterval } from '../definitions/ticks.js';
import { didYouMean } from '../definitions/names.js';
import { Timestamp } from '../definitions/timestamp.js';
import type { OpenProject } from '../providers/bind.js';
import { caller } from './caller.js';
import { deadlineScheduleId, scheduleId, wantedSchedules, type WantedSchedule } from './schedule-spec.js';
import { detailOf, leftDeadline, missingSchedule, summaryOf } from './schedule-state.js';
import {
  listSchedules,
  readSchedule,
  refuseForeign,
  writeSchedule,
  type FoundSchedule,
} from './schedule-store.js';
import { triggerRun } from './schedule-trigger.js';
import type {
  ApplySchedulesOptions,
  ScheduleChange,
  ScheduleDetail,
  ScheduleSummary,
  TriggeredRun,
} from './schedule-types.js';
import type { Workflows } from './workflows.js';

/** Temporal's schedules of a project's pipelines. Nothing but {@link apply} makes or changes one: no worker does so by starting. */
export class Schedules {
  readonly #open: OpenProject;
  readonly #workflows: Workflows;

  /** @internal */
  constructor(open: OpenProject, workflows: Workflows) {
    this.#open = open;
    this.#workflows = workflows;
  }

  /**
   * Brings Temporal's schedules in step with the project's pipelines: creates, updates or leaves alone. A pause stays, with its note. Safe to repeat, to
   * stop anywhere, and to run twice at a time.
   * @throws GranaryError `UnknownResource`, `InvalidDefinition` before anything is written; `InvalidInput` when an id is another project's.
   */
  async apply(options: ApplySchedulesOptions = {}): Promise<ScheduleChange[]> {
    const { dryRun = false, prune = false } = options;
    const { scope } = this.#open;
    if (prune && options.pipelines !== undefined && options.pipelines.length > 0)
      throw new GranaryError(
        'InvalidInput',
        'To prune is to delete what no pipeline declares, and goes with no names: granary schedule apply --prune.',
      );
    const all = options.pipelines === undefined || options.pipelines.length === 0;
    const chosen = all
      ? [...this.#open.project.pipelines.values()]
      : (options.pipelines ?? []).map((name) => this.#pipeline(name));
    const wanted = chosen.flatMap((pipeline) => this.#wanted(pipeline));
    const changes: ScheduleChange[] = [];
    for (const each of wanted) changes.push(await this.#compare(each));
    const ids = new Set(wanted.map(({ id }) => id));
    const names = new Set(this.#open.project.pipelines.keys());
    for (const found of await this.#others(ids, chosen, all)) {
      const { pipeline = '', kind = 'pipeline' } = found.memo ?? {};
      // A deadline that was taken out of a definition goes with it.
      const goes = prune || (kind === 'deadline' && names.has(pipeline));
      changes.push({
        ...{ id: found.id, pipeline, kind, fields: [], ...pauseOf(found) },
        action: goes ? 'delete' : 'undeclared',
      });
    }
    if (dryRun) return changes;
    for (const each of wanted) await writeSchedule(this.#workflows.temporal, scope, each);
    for (const { id, action } of changes) if (action === 'delete') await this.#delete(id);
    return changes;
  }

  /** The schedules of this project and environment, and the pipelines that have none yet, by name. */
  async list(): Promise<ScheduleSummary[]> {
    const { scope, project } = this.#open;
    const { temporal } = this.#workflows;
    const own = await Promise.all(
      [...project.pipelines.values()].map(async (pipeline) => {
        const { name } = pipeline;
        const declared = { pipeline, wanted: this.#ownWanted(pipeline) };
        const [found, beside] = await Promise.all([
          readSchedule(temporal, scheduleId(scope, name)),
          readSchedule(temporal, deadlineScheduleId(scope, name)),
        ]);
        return found ? summaryOf(found, declared, beside) : missingSchedule(declared, beside);
      }),
    );
    const others = (await listSchedules(temporal, scope)).filter(
      ({ memo }) => !project.pipelines.has(memo?.pipeline ?? ''),
    );
    const ids = new Map(others.map((found) => [found.id, found]));
    const undeclared = others.flatMap((found) => {
      const { pipeline = '', kind } = found.memo ?? {};
      if (kind !== 'deadline')
        return [summaryOf(found, undefined, ids.get(deadlineScheduleId(scope, pipeline)))];
      return ids.has(scheduleId(scope, pipeline)) ? [] : [leftDeadline(found)];
    });
    return [...own, ...undeclared].sort((a, b) => (a.pipeline < b.pipeline ? -1 : 1));
  }

  /**
   * A pipeline's schedule with its next and recent runs, its pause, policies and counts.
   * @throws GranaryError `UnknownResource` when it has none.
   */
  async describe(pipeline: string): Promise<ScheduleDetail> {
    const found = await this.#found(pipeline);
    const declared = this.#open.project.pipelines.get(pipeline);
    const beside = await readSchedule(
      this.#workflows.temporal,
      deadlineScheduleId(this.#open.scope, pipeline),
    );
    return await detailOf(
      this.#workflows,
      found,
      declared && { pipeline: declared, wanted: this.#ownWanted(declared) },
      beside,
    );
  }

  /**
   * Pauses a schedule: no tick starts a run until it is resumed. What was due meanwhile is made by the next run after it where the pipeline has a
   * `catchup` window, else by nobody. Runs by hand, backfills and the raising of deadlines go on.
   * @throws GranaryError `UnknownResource` when the pipeline has no schedule.
   */
  async pause(pipeline: string, { reason }: { readonly reason?: string } = {}): Promise<void> {
    const { id } = await this.#found(pipeline);
    const by = `paused by ${caller()}`;
    await this.#workflows.temporal.schedule
      .getHandle(id)
      .pause(reason === undefined ? by : `${reason} (${by})`);
  }

  /**
   * Lets a paused schedule start runs again, from its next tick on.
   * @throws GranaryError `UnknownResource` when the pipeline has no schedule.
   */
  async resume(pipeline: string, { reason }: { readonly reason?: string } = {}): Promise<void> {
    const { id } = await this.#found(pipeline);
    const by = `resumed by ${caller()}`;
    await this.#workflows.temporal.schedule
      .getHandle(id)
      .unpause(reason === undefined ? by : `${reason} (${by})`);
  }

  /**
   * Has a schedule start its run for one interval now, also while it is paused: that which starts on a local `date`, else the last complete one. The
   * run is what the tick at the interval's end would have started, with that time as its logical one.
   * @throws GranaryError `UnknownResource` when the pipeline is not declared or has no schedule; `InvalidInterval` for a wrong date.
   */
  async trigger(name: string, { date }: { readonly date?: string } = {}): Promise<TriggeredRun> {
    const pipeline = this.#pipeline(name);
    const { id, memo } = await this.#found(name);
    const now = Timestamp.from(new Date());
    const interval =
      date === undefined
        ? lastCompleteInterval(pipeline.schedule, pipeline, now)
        : intervalOfDate(pipeline.schedule, pipeline, date);
    requireEnded(interval, now, pipeline);
    const prefix = String(memo?.fields['workflowId'] ?? this.#ownWanted(pipeline).fields['workflowId']);
    return await triggerRun(this.#workflows, { id, workflowId: `${prefix}-${interval.end}`, interval });
  }

  /**
   * Deletes a pipeline's schedule, and the one that raises its deadlines. Runs that are open go on. The next apply creates them again if the pipeline
   * is declared.
   * @throws GranaryError `UnknownResource` when it has none.
   */
  async delete(pipeline: string): Promise<void> {
    const { id } = await this.#found(pipeline);
    await this.#delete(deadlineScheduleId(this.#open.scope, pipeline));
    await this.#delete(id);
  }

  async #delete(id: string): Promise<void> {
    try {
      await this.#workflows.temporal.schedule.getHandle(id).delete();
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
  }

  #pipeline(name: string): PipelineSpec {
    const { pipelines } = this.#open.project;
    const found = pipelines.get(name);
    if (found) return found;
    throw new GranaryError(
      'UnknownResource',
      `The project declares no pipeline "${name}". ${didYouMean(name, pipelines.keys())}`,
    );
  }

  #wanted(pipeline: PipelineSpec): WantedSchedule[] {
    return wantedSchedules(this.#open.scope, this.#workflows.taskQueue, pipeline);
  }

  #ownWanted(pipeline: PipelineSpec): WantedSchedule {
    const [own] = this.#wanted(pipeline);
    if (!own) throw new GranaryError('Internal', `The pipeline ${pipeline.name} wants no schedule.`);
    return own;
  }

  async #found(pipeline: string): Promise<FoundSchedule> {
    const { scope, project } = this.#open;
    const found = await readSchedule(this.#workflows.temporal, scheduleId(scope, pipeline));
    if (!found)
      throw new GranaryError(
        'UnknownResource',
        project.pipelines.has(pipeline)
          ? `The pipeline ${pipeline} has no schedule in ${scope.environment} yet. Create it: granary schedule apply ${pipeline} --env ${scope.environment}.`
          : `There is no schedule of a pipeline "${pipeline}" in ${scope.environment}. ${didYouMean(pipeline, project.pipelines.keys())}`,
      );
    refuseForeign(scope, found);
    return found;
  }

  async #compare(wanted: WantedSchedule): Promise<ScheduleChange> {
    const found = await readSchedule(this.#workflows.temporal, wanted.id);
    if (found) refuseForeign(this.#open.scope, found);
    const { id, pipeline, kind, fields, hash } = wanted;
    const same = { id, pipeline, kind, ...(found ? pauseOf(found) : {}) };
    if (found?.memo?.hash === hash) return { ...same, action: 'unchanged', fields: [] };
    const changed = difference('', found?.memo?.fields ?? {}, fields);
    const told = found && !found.memo ? ['was not made by granary schedule apply', ...changed] : changed;
    return { ...same, action: found ? 'update' : 'create', fields: told };
  }

  /** Schedules that nothing declares: all of them, or those beside the chosen pipelines' own. */
  async #others(
    declared: ReadonlySet<string>,
    chosen: readonly PipelineSpec[],
    all: boolean,
  ): Promise<FoundSchedule[]> {
    const { temporal } = this.#workflows;
    const { scope } = this.#open;
    if (all) return (await listSchedules(temporal, scope)).filter(({ id }) => !declared.has(id));
    const ids = chosen.map(({ name }) => deadlineScheduleId(scope, name)).filter((id) => !declared.has(id));
    const found = await Promise.all(ids.map((id) => readSchedule(temporal, id)));
    return found.filter((each): each is FoundSchedule => each?.memo !== undefined);
  }
}

const pauseOf = ({
  description: { state },
}: FoundSchedule): { readonly paused?: { readonly note: string } } =>
  state.paused ? { paused: { note: state.note ?? '' } } : {};
