import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { PRIORITIES } from '../definitions/priorities.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { defaultTaskQueue, feastProject, type Scope } from '../definitions/project.js';
import { workflowRunId } from '../registry/ownership.js';

/** `temporal.api.enums.v1.TaskQueueType`: the queue that starts workflows. */
const WORKFLOW_TASKS = 1;

/** A workflow that was started, or joined where the same was open. */
export interface Started<T> {
  readonly workflowId: string;
  readonly runId: string;
  /** Resolves when it has ended well; rejects with its failure. */
  result(): Promise<T>;
}

/** Granary's workflows of one project and environment, as Temporal has them. */
export class Workflows {
  readonly temporal: Client;
  readonly taskQueue: string;
  readonly #scope: Scope;
  readonly #isCloud: boolean;

  private constructor(temporal: Client, scope: Scope, taskQueue: string, address: string) {
    this.#isCloud = /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address);
    this.temporal = temporal;
    this.taskQueue = taskQueue;
    this.#scope = scope;
  }

  /**
   * Connects to Temporal by its usual configuration (`TEMPORAL_ADDRESS`, ..., temporal.toml).
   * @throws GranaryError `ProviderUnreachable` when Temporal does not answer.
   */
  static async connect(scope: Scope, taskQueue = defaultTaskQueue(scope)): Promise<Workflows> {
    const { connectionOptions, namespace } = loadClientConnectConfig();
    let connection: Connection;
    try {
      connection = await Connection.connect(connectionOptions);
    } catch (error) {
      throw new GranaryError(
        'ProviderUnreachable',
        `Temporal at ${connectionOptions.address ?? 'localhost:7233'} does not answer: ${messageOf(error)}. Check that it runs, and TEMPORAL_ADDRESS.`,
        { cause: error },
      );
    }
    const temporal = new Client({ connection, ...(namespace === undefined ? {} : { namespace }) });
    return new Workflows(temporal, scope, taskQueue, connectionOptions.address ?? '');
  }

  /**
   * Starts a workflow. Its id is for reading, `pipeline/flights_dev/flights_daily/2001-03-04`, with the project and environment in it because several
   * may share a namespace; `asked` is what follows them. One with the same id that is still open is joined. `priorityKey`: whose turn it is first,
   * 1 to 5; 3 by default.
   */
  async start<T>(
    type: string,
    asked: readonly string[],
    input: object,
    staticSummary: string,
    priorityKey: number = PRIORITIES.byHand,
  ): Promise<Started<T>> {
    const handle = await this.temporal.workflow.start(type, {
      taskQueue: this.taskQueue,
      workflowId: [type, feastProject(this.#scope), ...asked].join('/'),
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [input],
      staticSummary,
      priority: { priorityKey },
    });
    return {
      workflowId: handle.workflowId,
      runId: handle.firstExecutionRunId,
      result: () => handle.result() as Promise<T>,
    };
  }

  /**
   * Checks that a worker polls the task queue. Temporal forgets a worker five minutes after its last poll.
   * @throws GranaryError `ProviderUnreachable`.
   */
  async requireWorker(): Promise<void> {
    const { namespace } = this.temporal.options;
    const pollers = await this.pollers();
    if (pollers.length === 0)
      throw new GranaryError(
        'ProviderUnreachable',
        `No worker polls the task queue ${this.taskQueue} in the namespace ${namespace}, and it takes one to do this. Start it: granary worker --env ${this.#scope.environment} --project <file>.`,
      );
  }

  /** As {@link requireWorker}, but a worker that was started a moment ago may not have polled yet. */
  async awaitWorker(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.requireWorker();
      } catch (error) {
        if (tries === 20) throw error;
        await sleep(250);
      }
    }
  }

  /** How Temporal closed a run, `NOT_FOUND` when it has forgotten it; undefined while it is open. */
  readonly closedAs = async (run: {
    readonly workflowId: string;
    readonly id: string | undefined;
  }): Promise<string | undefined> => {
    try {
      const { status } = await this.temporal.workflow
        .getHandle(run.workflowId, run.id === undefined ? undefined : workflowRunId(run.id))
        .describe();
      return status.name === 'RUNNING' || status.name === 'PAUSED' ? undefined : status.name;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND';
      throw error;
    }
  };

  /** Whether a workflow's id is one that this project and environment give. */
  isOwn(workflowId: string): boolean {
    return workflowId.split('/')[1] === feastProject(this.#scope);
  }

  /** Who polls the task queue now, or did within the last five minutes. */
  async pollers(): Promise<readonly { readonly identity: string; readonly lastAccess: Date | undefined }[]> {
    const { workflowService, options } = this.temporal;
    const { pollers } = await workflowService.describeTaskQueue({
      namespace: options.namespace,
      taskQueue: { name: this.taskQueue },
      taskQueueType: WORKFLOW_TASKS,
    });
    return pollers.map(({ identity, lastAccessTime }) => ({
      identity: identity ?? '',
      lastAccess: lastAccessTime?.seconds ? new Date(Number(lastAccessTime.seconds) * 1000) : undefined,
    }));
  }

  /** Where Temporal's web interface shows a run, if it is known: `TEMPORAL_UI_ADDRESS`, or Temporal Cloud's. */
  url(workflowId: string, runId: string): string | undefined {
    const ui = process.env['TEMPORAL_UI_ADDRESS'] ?? (this.#isCloud ? 'https://cloud.temporal.io' : '');
    if (ui === '') return undefined;
    const place = ['namespaces', this.temporal.options.namespace, 'workflows', workflowId, runId];
    return `${ui.replace(/\/+$/, '')}/${place.map(encodeURIComponent).join('/')}/history`;
  }

  async close(): Promise<void> {
    await this.temporal.connection.close();
  }
}
