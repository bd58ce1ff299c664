import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { GranaryPlugin, type GranaryPluginOptions } from './plugin.js';

export interface WorkerProcessOptions extends GranaryPluginOptions {
  /** Default: `granary-<project>-<environment>`. */
  readonly taskQueue?: string;
  /**
   * A file with the bundled workflows, made beforehand by Temporal's `bundleWorkflowCode` with this package's version; default: they are bundled at each
   * start, which takes seconds.
   */
  readonly workflowBundle?: string;
  /**
   * `host:port` where this process answers Prometheus at `/metrics`, with Temporal's metrics of the worker and Granary's own. Default: nowhere. It
   * installs Temporal's `Runtime`, of which a process has one.
   */
  readonly metrics?: string;
  /** Called once the worker polls. */
  readonly onReady?: (worker: {
    readonly taskQueue: string;
    readonly address: string;
    readonly namespace: string;
  }) => void;
}

/**
 * The ready worker process: connects to Temporal by its usual configuration (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`,
 * `TEMPORAL_TLS_*`, or a profile in temporal.toml), runs until SIGINT or SIGTERM, then lets running steps checkpoint and ends.
 * @throws GranaryError `ProviderUnreachable` when Temporal does not answer.
 */
export async function runWorker(options: WorkerProcessOptions): Promise<void> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const { address = 'localhost:7233' } = connectionOptions;
  if (options.metrics !== undefined) serveMetrics(options.metrics);
  const plugin = await GranaryPlugin.create(options);
  try {
    const connection = await connect(address, connectionOptions);
    try {
      const taskQueue = options.taskQueue ?? plugin.taskQueue;
      const { workflowBundle: codePath } = options;
      const worker = await Worker.create({
        connection,
        namespace,
        taskQueue,
        plugins: [plugin],
        ...(codePath === undefined ? {} : { workflowBundle: { codePath } }),
      });
      const running = worker.run();
      options.onReady?.({ taskQueue, address, namespace });
      await running;
    } finally {
      await connection.close();
    }
  } catch (error) {
    if (!/namespace .* not found/i.test(messageOf(error))) throw error;
    throw new GranaryError(
      'ConfigurationMissing',
      `Temporal at ${address} has no namespace "${namespace}". Create it (temporal operator namespace create -n ${namespace}), or correct TEMPORAL_NAMESPACE.`,
      { cause: error },
    );
  } finally {
    await plugin.close();
  }
}

/** @throws GranaryError `InvalidInput` when nobody can listen there. */
function serveMetrics(bindAddress: string): void {
  try {
    Runtime.install({ telemetryOptions: { metrics: { prometheus: { bindAddress } } } });
  } catch (error) {
    throw new GranaryError(
      'InvalidInput',
      `Metrics cannot be served at "${bindAddress}": ${messageOf(error)}. Give an address and a port of this machine that is free, such as 127.0.0.1:9464.`,
      { cause: error },
    );
  }
}

async function connect(
  address: string,
  { tls, apiKey, metadata }: ReturnType<typeof loadClientConnectConfig>['connectionOptions'],
): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect({
      address,
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata: metadata as Record<string, string> }),
    });
  } catch (error) {
    throw new GranaryError(
      'ProviderUnreachable',
      `Temporal at ${address} does not answer: ${messageOf(error)}. Check that it runs, and TEMPORAL_ADDRESS.`,
      { cause: error },
    );
  }
}
