import { defineQuery, setHandler } from '@temporalio/workflow';
import type { LoadCounts, LoadState, ResolvedRun, StagedLoad, StepResult } from '../activities/messages.js';

/** How far a run's loads are: what finished shards counted. What a shard at work has counted is in its activity's heartbeats. */
export const loadsQuery = defineQuery<readonly LoadState[]>('loads');

/** What a step tells of its load. */
export interface LoadWatch {
  staging(step: string): void;
  staged(step: string, load: StagedLoad): void;
  shard(step: string, counts: LoadCounts): void;
  recording(step: string): void;
  done(step: string, result: StepResult): void;
  failed(step: string): void;
}

const NONE = { total: 0, written: 0, older: 0, unchanged: 0, shards: [] } as const;

/** Keeps how far each view's load is and answers the query `loads`. Counts alone: rows never pass through a workflow. */
export function watchLoads({ plan }: ResolvedRun): LoadWatch {
  const states = new Map<string, LoadState>(
    plan.steps.flatMap(({ id, kind }) =>
      kind === 'materialize' ? [[id, { step: id, state: 'waiting', ...NONE }]] : [],
    ),
  );
  setHandler(loadsQuery, () => [...states.values()]);
  const set = (step: string, state: Partial<LoadState>): void => {
    const known = states.get(step);
    if (known) states.set(step, { ...known, ...state });
  };
  return {
    staging: (step) => set(step, { state: 'staging', ...NONE }),
    staged: (step, { rows }) => set(step, { state: 'loading', total: rows }),
    shard(step, { shard, written, older, unchanged }) {
      const known = states.get(step);
      if (known)
        set(step, {
          written: known.written + written,
          older: known.older + older,
          unchanged: known.unchanged + unchanged,
          shards: [...known.shards, shard],
        });
    },
    recording: (step) => set(step, { state: 'recording' }),
    done: (step, { outcome }) => set(step, { state: outcome === 'current' ? 'current' : 'done' }),
    failed: (step) => set(step, { state: 'failed' }),
  };
}
