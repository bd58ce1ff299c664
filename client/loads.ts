import { createHash } from 'node:crypto';
import { QueryNotRegisteredError } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { FeatureView } from '../definitions/feature-view.js';
import type { LoadCheckpoint, LoadState, MaterializeInput, RunResult } from '../workflows/index.js';
import { caller } from './caller.js';
import type { Started, Workflows } from './workflows.js';

/** What `client.materialize` loads. */
export interface MaterializeOptions {
  /** Views, or their names (`user_features`, `user_features.v2`). Default: all that are served online. */
  readonly views?: readonly (FeatureView | string)[];
  /**
   * Only recorded intervals, and rows of raw sources, within `[from, to)`: ISO-8601 (a date alone is its midnight in UTC, a time without a zone is
   * UTC), `now`, or a time before it, `-2d`, by the registry's clock. Without `from` from the beginning, without `to` until now.
   */
  readonly from?: string;
  readonly to?: string;
  /** Loads everything anew, or what ends after `from`, and removes entities that none of it has. */
  readonly fullRefresh?: boolean;
}

/** How far the load of one view is. */
export interface LoadProgress {
  readonly step: string;
  readonly state: LoadState['state'];
  /** Entities to load; 0 until they are staged. */
  readonly total: number;
  /** Entities that are written; that lost against a newer row; that were there already. */
  readonly written: number;
  readonly older: number;
  readonly skipped: number;
}

/** Longest part of a workflow's id that names views; Temporal's limit is 1000 bytes for all of it. */
const MOST = 200;

/** Starts one run for all of the views. What is asked for stands in its id, so that a start joins only a run that does the same. */
export async function startMaterialize(
  workflows: Workflows,
  { views, from, to, fullRefresh }: MaterializeOptions,
): Promise<Started<RunResult>> {
  const names = views?.map((view) =>
    typeof view === 'string' ? view : view.variant === undefined ? view.name : `${view.name}.${view.variant}`,
  );
  const all = names === undefined ? 'all' : [...new Set(names)].sort().join(',');
  const which =
    all.length <= MOST
      ? all
      : `${names?.length ?? 0}_views_${createHash('sha256').update(all).digest('hex').slice(0, 12)}`;
  const window =
    from === undefined && to === undefined ? [] : [`${from ?? ''}..${to ?? ''}`.replaceAll(' ', '_')];
  const input: MaterializeInput = {
    ...(names === undefined ? {} : { views: names }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(fullRefresh === true ? { fullRefresh, by: caller() } : {}),
  };
  const asked = [which, ...window, ...(fullRefresh === true ? ['full_refresh'] : [])];
  return await workflows.start<RunResult>(
    'materialize',
    asked,
    input,
    `materialize ${asked.join(' ')}`.slice(0, 200),
  );
}

/**
 * How far a run's loads are: what the workflow knows of finished shards, and the last heartbeats of those at work, which outlive a worker. Nothing
 * before the run is planned; as far as was known when no worker answers.
 */
export async function loadsOf(
  { temporal }: Workflows,
  { workflowId, runId }: Pick<Started<unknown>, 'workflowId' | 'runId'>,
): Promise<readonly LoadProgress[]> {
  const handle = temporal.workflow.getHandle(workflowId, runId);
  // Asked first: a shard that ends in between is then found among the finished ones and is not counted twice.
  const { raw } = await handle.describe();
  const working = (raw.pendingActivities ?? []).flatMap(({ activityType, heartbeatDetails }) =>
    activityType?.name === 'loadShard' ? checkpointOf(heartbeatDetails?.payloads?.[0]) : [],
  );
  const states = await handle.query<readonly LoadState[]>('loads').catch((error: unknown) => {
    // The run has not been planned yet.
    if (error instanceof QueryNotRegisteredError) return [];
    throw error;
  });
  return states.map(({ step, state, total, unchanged, shards, ...counts }) => {
    const own = working.filter((kept) => kept.step === step && !shards.includes(kept.shard));
    const sum = (key: 'written' | 'older' | 'unchanged', finished: number): number =>
      own.reduce((n, kept) => n + kept[key], finished);
    return {
      ...{ step, state, total },
      written: sum('written', counts.written),
      older: sum('older', counts.older),
      skipped: sum('unchanged', unchanged),
    };
  });
}

function checkpointOf(payload: Payload | null | undefined): readonly LoadCheckpoint[] {
  if (!payload) return [];
  try {
    const kept = defaultPayloadConverter.fromPayload<Partial<LoadCheckpoint> | undefined>(payload);
    return kept?.v === 1 && kept.step !== undefined ? [kept as LoadCheckpoint] : [];
  } catch {
    // Encrypted heartbeats are read by workers alone: the bar then moves shard by shard.
    return [];
  }
}
