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
}

/** Registry look-ups: seconds, in the worker that has the workflow. */
export const resolving = proxyLocalActivities<
  Pick<GranaryActivities, 'resolveRun' | 'beginApply' | 'beginRemoval'>
>({
  startToCloseTimeout: '1m',
  // A registry that is away for longer than this fails the run, by name.
  scheduleToCloseTimeout: '5m',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s' },
});

/** Short statements against the registry. */
export const quick = ({ heartbeatTimeout }: ProfileSettings, summary: string) =>
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
    >
  >({
    ...cancellation,
    startToCloseTimeout: '5m',
    heartbeatTimeout,
    retry: PATIENT,
    summary,
  });

/** Engine work: as long as it takes while it heartbeats. A definition's own `timeout` ends an attempt from within, where it counts as an error. */
export const heavy = ({ heartbeatTimeout }: ProfileSettings, summary: string) =>
  proxyActivities<
    Pick<
      GranaryActivities,
      'buildRows' | 'validateRows' | 'joinTrainingSet' | 'stageOnline' | 'loadShard' | 'checkApply'
    >
  >({
    ...cancellation,
    startToCloseTimeout: '30d',
    heartbeatTimeout,
    retry: PATIENT,
    summary,
  });

/** Copies files and moves pointers. */
export const publish = ({ heartbeatTimeout }: ProfileSettings, summary: string) =>
  proxyActivities<
    Pick<GranaryActivities, 'storeVersion' | 'rollbackVersion' | 'promoteVariant' | 'exportFeast'>
  >({
    ...cancellation,
    startToCloseTimeout: '1h',
    heartbeatTimeout,
    retry: PATIENT,
    summary,
  });

/** Takes data away: as long as it takes while it heartbeats. */
export const clearing = ({ heartbeatTimeout }: ProfileSettings, summary: string) =>
  proxyActivities<Pick<GranaryActivities, 'removeOnline' | 'removeFiles' | 'retireVariant'>>({
    ...cancellation,
    startToCloseTimeout: '30d',
    heartbeatTimeout,
    retry: PATIENT,
    summary,
  });

/** Waits for another run, however long it takes. */
export const waiting = ({ heartbeatTimeout }: ProfileSettings, summary: string) =>
  proxyActivities<Pick<GranaryActivities, 'awaitOwner' | 'awaitApply'>>({
    ...cancellation,
    startToCloseTimeout: '30d',
    heartbeatTimeout,
    retry: PATIENT,
    summary,
  });
