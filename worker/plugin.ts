import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SimplePlugin } from '@temporalio/plugin';
import type { BundleOptions, Worker, WorkerOptions } from '@temporalio/worker';
import { createActivities, type GranaryActivities } from '../activities/index.js';
import { GranaryError } from '../definitions/errors.js';
import { workerIdentity } from '../registry/package-version.js';
import { createRuntime, type OwnedRuntime, type RuntimeOptions } from './runtime.js';

/** The file of Granary's own workflows, for workers that have none of their own. */
export const workflowsPath: string = fileURLToPath(
  // This file's own extension: the bundler reads TypeScript as well, when run from the sources.
  new URL(`../workflows/index${extname(import.meta.url)}`, import.meta.url),
);

export interface GranaryPluginOptions extends RuntimeOptions {
  /** How often heartbeats reach the server at most; what a killed worker may lose of its checkpoints. Default 5s. */
  readonly heartbeatInterval?: string;
}

/**
 * Adds Granary to a Temporal worker: `Worker.create({ connection, taskQueue, plugins: [await GranaryPlugin.create({ project })] })`. It brings
 *  1. the activities, and refuses a name that the worker has already;
 *  2. the workflows, unless the worker has its own, which must then hold `export * from 'granary/workflows'`;
 *  3. connections, made at their first use and closed when the worker ends; the registry's tables are a run's first step.
 */
export class GranaryPlugin extends SimplePlugin {
  readonly #owned: OwnedRuntime;
  readonly #activities: GranaryActivities;
  readonly #heartbeatInterval: string;

  private constructor(owned: OwnedRuntime, heartbeatInterval: string) {
    super({ name: 'granary.GranaryPlugin', workflowsPath: (own) => own ?? workflowsPath });
    this.#owned = owned;
    this.#activities = createActivities(owned.runtime);
    this.#heartbeatInterval = heartbeatInterval;
  }

  /**
   * Compiles the project and binds its environment; contacts nothing yet.
   * @throws GranaryError for a wrong definition, an unknown environment, or a setting that is missing.
   */
  static async create(options: GranaryPluginOptions): Promise<GranaryPlugin> {
    return new GranaryPlugin(await createRuntime(options), options.heartbeatInterval ?? '5s');
  }

  /** The project's and environment's own task queue: `granary-<project>-<environment>`. */
  get taskQueue(): string {
    return this.#owned.taskQueue;
  }

  override configureWorker(options: WorkerOptions): WorkerOptions {
    const own = options.activities ?? {};
    const clashes = Object.keys(this.#activities).filter((name) => name in own);
    if (clashes.length > 0)
      throw new GranaryError(
        'InvalidInput',
        `The worker's activities ${clashes.join(', ')} bear names of Granary's. Rename yours, or list the plugin only once.`,
      );
    if (options.workflowsPath !== undefined) requireReexport(options.workflowsPath);
    const { workflowsPath: path, ...configured } = super.configureWorker(options);
    return {
      // A bundle that was made beforehand holds the workflows already.
      ...(options.workflowBundle === undefined && path !== undefined ? { workflowsPath: path } : {}),
      maxHeartbeatThrottleInterval: this.#heartbeatInterval,
      shutdownGraceTime: '5s',
      identity: workerIdentity,
      ...configured,
      // Set here and not through SimplePlugin, whose merge would hide a clash.
      activities: { ...own, ...this.#activities },
    };
  }

  override configureBundler(options: BundleOptions): BundleOptions {
    if (options.workflowsPath) requireReexport(options.workflowsPath);
    return super.configureBundler(options);
  }

  override async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    // Nothing is awaited before `next`: a worker that is told to stop before it runs would never hear of it.
    try {
      await super.runWorker(worker, next);
    } finally {
      await this.close();
    }
  }

  /** Closes connections and removes the scratch folder. A worker that ran has done so; call it when none came to run. */
  async close(): Promise<void> {
    await this.#owned.close();
  }
}

/** A worker with workflows of its own must pass Granary's on, or runs would hang as unknown types. */
function requireReexport(path: string): void {
  if (path === workflowsPath) return;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // A folder or a path without an extension: the bundler resolves it, and fails by itself when it cannot.
    return;
  }
  if (!/granary\/workflows|workflows\/index/.test(text))
    throw new GranaryError(
      'InvalidInput',
      `The workflows in ${path} leave out Granary's. Add this line to the file: export * from 'granary/workflows';`,
    );
}
