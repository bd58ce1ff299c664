/**
 * One generation of a project's code under `granary dev`, in a process of its own: a worker, and once the generation before has stopped also the
 * feature server and an apply of the definitions. It ends with SIGTERM, or with the process that started it.
 */
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { GranaryClient } from '../../client/index.js';
import { GranaryError } from '../../definitions/errors.js';
import { openProject, sharedProviders, type OpenProject } from '../../providers/bind.js';
import { registryError } from '../../registry/database.js';
import { listenOn, type FeatureServer } from '../../server/server.js';
import { runWorker } from '../../worker/process.js';
import { loadProject } from '../load-project.js';
import { applyDefinitions } from './apply-definitions.js';
import type { GenerationOptions, Serve, Told } from './messages.js';

const tell = (message: Told): void => {
  if (process.connected) process.send?.(message);
};
const told = (error: unknown): string =>
  error instanceof GranaryError
    ? `${error.message} [${error.code}]`
    : ((error as Error).stack ?? String(error));

async function main({ project: file, environment, bundle }: GenerationOptions): Promise<void> {
  const files = new Set<string>();
  const project = await loadProject(file, (path) => files.add(path)).finally(() =>
    tell({ type: 'files', files: [...files] }),
  );
  const open = openProject(project, environment);
  // The state changes of a worker are none of a user's business, its warnings are.
  Runtime.install({ logger: new DefaultLogger('WARN') });
  let serving: Promise<Serving> | undefined;
  let polls = false;
  let stopping = false;
  process.once('SIGTERM', () => {
    // Temporal's runtime hears the same signal once a worker runs, and takes no more work from here on.
    if (!polls) process.exit();
    stopping = true;
    void Promise.resolve(serving)
      .then((server) => server?.close())
      .catch((error: unknown) => tell({ type: 'says', part: 'features', text: told(error) }))
      .finally(() => tell({ type: 'drained' }));
  });
  process.on('message', ({ port }: Serve) => {
    if (!stopping) serving ??= serve(open, port, () => stopping);
  });
  try {
    await runWorker({
      project,
      workflowBundle: bundle,
      ...(environment === undefined ? {} : { environment }),
      onReady: ({ taskQueue }) => {
        polls = true;
        tell({ type: 'polls', ...open.scope, taskQueue });
      },
    });
  } finally {
    await (await serving)?.close();
    await open.providers.close();
  }
}

interface Serving {
  /** Once; asked again, it waits for the same. */
  close(): Promise<void>;
}

/** Listens and applies; what fails of it is told, and the worker goes on. */
async function serve(open: OpenProject, port: number, isStopping: () => boolean): Promise<Serving> {
  const say = (part: string, text: string): void => tell({ type: 'says', part, text });
  const opened: { client?: GranaryClient; server?: FeatureServer } = {};
  const failed = (part: string) => (error: unknown) => {
    // An apply goes on in Temporal without whoever watches it.
    if (!isStopping()) say(part, told(registryError(error)));
  };
  try {
    const client = (opened.client = await GranaryClient.over(sharedProviders(open)));
    // The plan makes the registry's tables, which the server reads.
    await client.planApply();
    void applyDefinitions(open, client, (text) => say('apply', text))
      .catch(failed('apply'))
      .finally(() => tell({ type: 'applied' }));
    const listen = (at: number): Promise<FeatureServer> =>
      listenOn(open, {
        port: at,
        log: (line) => say('features', line),
        materializer: () => Promise.resolve(client),
      });
    opened.server = await listen(port).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      return listen(0);
    });
    tell({ type: 'serves', url: opened.server.url });
  } catch (error) {
    failed('features')(error);
  }
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await opened.server?.drain(0);
    await opened.client?.close();
  };
  return { close: () => (closed ??= close()) };
}

process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
try {
  await main(JSON.parse(process.argv[2] ?? '') as GenerationOptions);
} catch (error) {
  tell({ type: 'failed', message: told(registryError(error)) });
  process.exitCode = 1;
} finally {
  process.disconnect?.();
}
