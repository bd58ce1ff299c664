import {
  ScheduleAlreadyRunning,
  ScheduleClient,
  ScheduleNotFoundError,
  type Client,
  type ScheduleDescription,
  type WorkflowService,
} from '@temporalio/client';
import { GranaryError } from '../definitions/errors.js';
import { feastProject, type Scope } from '../definitions/project.js';
import { MEMO, type ScheduleMemo, type WantedSchedule } from './schedule-spec.js';

/** A schedule as it is in Temporal. */
export interface FoundSchedule {
  readonly id: string;
  readonly description: ScheduleDescription;
  /** What it was made from; undefined when Granary did not make it. */
  readonly memo: ScheduleMemo | undefined;
}

/** A schedule by its id; undefined when there is none. */
export async function readSchedule(temporal: Client, id: string): Promise<FoundSchedule | undefined> {
  try {
    const description = await temporal.schedule.getHandle(id).describe();
    const memo = description.action.memo?.[MEMO] as ScheduleMemo | undefined;
    return { id, description, memo: typeof memo?.hash === 'string' ? memo : undefined };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** The schedules of a project and environment that Granary made; a new one may take a moment to be among them. */
export async function listSchedules(temporal: Client, scope: Scope): Promise<FoundSchedule[]> {
  const prefix = `${feastProject(scope)}/`;
  const ids: string[] = [];
  for await (const { scheduleId } of temporal.schedule.list({ pageSize: 1000 }))
    if (scheduleId.startsWith(prefix)) ids.push(scheduleId);
  const found: FoundSchedule[] = [];
  for (const id of ids.sort()) {
    const schedule = await readSchedule(temporal, id);
    if (schedule?.memo && isOf(scope, schedule.memo)) found.push(schedule);
  }
  return found;
}

const isOf = ({ project, environment }: Scope, memo: ScheduleMemo): boolean =>
  memo.project === project && memo.environment === environment;

/** @throws GranaryError `InvalidInput` when a schedule of that id belongs to another project or environment. */
export function refuseForeign(scope: Scope, { id, memo }: FoundSchedule): void {
  if (memo && !isOf(scope, memo))
    throw new GranaryError(
      'InvalidInput',
      `The schedule ${id} belongs to ${memo.project} in ${memo.environment}. Rename the project or the environment of one of the two, or give them name spaces of their own in Temporal.`,
    );
}

/** How often a schedule is written that others write at the same time. */
const TRIES = 5;

/**
 * Makes a schedule what is wanted, creating it or in place of what it is. Its state stays: a pause with its note, actions that remain. Safe to repeat
 * and to stop anywhere: Temporal takes the whole of it or nothing.
 * @throws GranaryError `InvalidInput` when others keep writing it.
 */
export async function writeSchedule(temporal: Client, scope: Scope, wanted: WantedSchedule): Promise<void> {
  for (let tries = 0; tries <= TRIES; tries++) {
    const found = await readSchedule(temporal, wanted.id);
    if (found) refuseForeign(scope, found);
    if (found?.memo?.hash === wanted.hash) return;
    if (tries === TRIES) break;
    if (found) await replace(temporal, wanted);
    else await create(temporal, wanted);
  }
  throw new GranaryError(
    'InvalidInput',
    `The schedule ${wanted.id} is being changed by somebody else at the same time. Apply again: granary schedule apply ${wanted.pipeline}.`,
  );
}

async function create(temporal: Client, { id, spec, action, policies }: WantedSchedule): Promise<void> {
  try {
    await temporal.schedule.create({ scheduleId: id, spec, action, policies });
  } catch (error) {
    // Another apply was first: what it made is looked at like any other.
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}

async function replace(temporal: Client, { id, spec, action, policies }: WantedSchedule): Promise<void> {
  const careful = new CarefulSchedules(temporal);
  await careful.getHandle(id).update((before) => {
    careful.sawState(before);
    // Its state is kept as it was seen.
    return { ...before, spec, action, policies };
  });
}

/**
 * Schedules whose update holds for the state that it was made from. Of one that was paused or changed since, Temporal accepts the update and drops it:
 * whoever updates looks again.
 */
class CarefulSchedules extends ScheduleClient {
  #token: Uint8Array | null | undefined;

  constructor({ connection, options }: Client) {
    super({ connection, namespace: options.namespace });
  }

  sawState({ raw }: ScheduleDescription): void {
    this.#token = raw.conflictToken;
  }

  override get workflowService(): WorkflowService {
    const service = super.workflowService;
    const conflictToken = this.#token;
    if (!conflictToken) return service;
    const careful: unknown = Object.create(service, {
      updateSchedule: {
        value: (request: Parameters<WorkflowService['updateSchedule']>[0]) =>
          service.updateSchedule({ ...request, conflictToken }),
      },
    });
    return careful as WorkflowService;
  }
}
