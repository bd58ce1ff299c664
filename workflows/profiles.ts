import {
  proxyActivities,
  proxyLocalActivities,
  type ActivityOptions,
  type RetryPolicy,
} from '@temporalio/workflow';
import type { GranaryActivities } from '../activities/index.js';

/**
 * Time-outs and retries by name, in one place. Attempts are unlimited: `retries.max` counts the errors that a step reported and ends it by
 * a non-retryable failure, so that a worker that dies costs no retry. Every profile waits for a cancelled activity to end.
 */
const PATIENT: RetryPolicy = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' };

const cancellation = { cancellationType: 'WAIT_CANCELLATION_COMPLETED' } as const satisfies ActivityOptions;

/** Settings that a run brings along. */
export interface ProfileSettings {
  readonly heartbeatTimeout: string;
  /** Temporal's priority key; absent: that of the workflow. */
  readonly priority?: number;
}

const settingsOf = ({ heartbeatTimeout, priority }: ProfileSettings): ActivityOptions => ({
  heartbeatTimeout,
  ...(priority === undefined ? {} : { priority: { priorityKey: priority } }),
});

/** Registry look-ups: seconds, in the worker that has the workflow. */
export const resolving = proxyLocalActivities<
  Pick<GranaryActivities, 'resolveRun' | 'dueIntervals' | 'beginApply' | 'beginRemoval' | 'beginBackfill'>
>({
  startToCloseTimeout: '1m',
  // A registry that is away for longer than this fails the run, by name.
  scheduleToCloseTimeout: '5m',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s' },
});

/** Short statements against the registry. */
export const quick = (settings: ProfileSettings, summary: string) =>
  proxyActivities<
    Pick<
      GranaryActivities,
      | 'claimStep'
      | 'recordLoad'
      | 'finishRun'
      | 'registerApply'
      | 'finishApply'
      | 'finishRemoval'
      | 'raiseDeadline'
      | 'resolveDeadline'
      | 'checkDeadline'
      | 'planBackfill'
      | 'nextIntervals'
      | 'failInterval'
      | 'pauseBackfill'
      | 'finishBackfill'
    >
  >({
    ...cancellation,
    startToCloseTimeout: '5m',
    ...settingsOf(settings),
    retry: PATIENT,
    summary,
  });

/** Engine work: as long as it takes while it heartbeats. A definition's own `timeout` ends an attempt from within, where it counts as an error. */
export const heavy = (settings: ProfileSettings, summary: string) =>
  proxyActivities<
    Pick<
      GranaryActivities,
      'buildRows' | 'validateRows' | 'joinTrainingSet' | 'stageOnline' | 'loadShard' | 'checkApply'
    >
  >({
    ...cancellation,
    startToCloseTimeout: '30d',
    ...settingsOf(settings),
    retry: PATIENT,
    summary,
  });

/** Copies files and moves pointers. */
export const publish = (settings: ProfileSettings, summary: string) =>
  proxyActivities<
    Pick<GranaryActivities, 'storeVersion' | 'rollbackVersion' | 'promoteVariant' | 'exportFeast'>
  >({
    ...cancellation,
    startToCloseTimeout: '1h',
    ...settingsOf(settings),
    retry: PATIENT,
    summary,
  });

/** Takes data away: as long as it takes while it heartbeats. */
export const clearing = (settings: ProfileSettings, summary: string) =>
  proxyActivities<Pick<GranaryActivities, 'removeOnline' | 'removeFiles' | 'retireVariant'>>({
    ...cancellation,
    startToCloseTimeout: '30d',
    ...settingsOf(settings),
    retry: PATIENT,
    summary,
  });

/** Waits for another run, however long it takes. */
export const waiting = (settings: ProfileSettings, summary: string) =>
  proxyActivities<Pick<GranaryActivities, 'awaitOwner' | 'awaitApply'>>({
    ...cancellation,
    startToCloseTimeout: '30d',
    ...settingsOf(settings),
    retry: PATIENT,
    summary,
  });
