import type { Contract } from '../definitions/contract-file.js';
import type { Project } from '../definitions/project.js';
import type { RunStep } from '../registry/run-history.js';
import type { LoadProgress } from './loads.js';
import type { RemovalOutcome, RunResult } from '../workflows/index.js';

export interface GranaryClientOptions {
  /** As `defineProject` made it, or as `granary compile` wrote it. */
  readonly project: Project | Contract;
  /** Default: `GRANARY_ENV`, then `dev`, then the only one. */
  readonly environment?: string;
  /** Default: the project's and environment's own. */
  readonly taskQueue?: string;
}

/** A run that was started. */
export interface RunHandle {
  readonly workflowId: string;
  readonly runId: string;
  /** Resolves when the run has ended well; rejects with its failure. */
  result(): Promise<RunResult>;
  /** How each step stands now, in the order of the plan; empty until the run has been planned. `error` is the last one that an attempt reported. */
  steps(): Promise<readonly RunStep[]>;
  /** How far each of its online loads is, by what workers have acknowledged; empty until the run has been planned. */
  loads(): Promise<readonly LoadProgress[]>;
}

/** A deletion that was started. */
export interface RemovalHandle {
  readonly workflowId: string;
  readonly runId: string;
  /** Resolves when all is gone; rejects with the run's failure. */
  result(): Promise<RemovalOutcome>;
}
