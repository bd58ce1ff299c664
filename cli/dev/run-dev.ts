import { access, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { environmentFor, startServices, type Services } from '#services';
import { GranaryError, messageOf } from '../../definitions/errors.js';
import { workflowsPath } from '../../worker/plugin.js';
import type { Told } from './messages.js';
import { Reloader } from './reloader.js';
import { asOnlyDev, DEV_FOLDER, openSession } from './session.js';
import { addressLines, nextLines } from './text.js';
import { untilStopped } from './until-stopped.js';

export interface DevOptions {
  readonly project: string;
  readonly env?: string;
  readonly port: number;
  readonly programs: string;
}

const say = (part: string, text: string): void => {
  for (const line of text.split('\n')) process.stdout.write(`${part.padEnd(9)} ${line}\n`);
};

/**
 * Runs servers, worker and feature server until SIGINT, SIGTERM or SIGHUP, and stops them in turn: the feature server, the worker, the servers. A
 * second signal ends the worker at once.
 * @throws GranaryError `InvalidInput` when there is no project or one runs in this folder; `ProviderUnreachable` when a server cannot be had.
 */
export async function runDev(options: DevOptions): Promise<void> {
  await access(options.project).catch(() => {
    throw new GranaryError(
      'InvalidInput',
      `There is no project file ${resolve(options.project)}. Make a project with granary init, or give its path: --project granary.ts`,
    );
  });
  await asOnlyDev(async () => {
    const { stop, now } = untilStopped((signal) => say('dev', `${signal}: stops what it started`));
    const bundled = bundle();
    bundled.catch(() => undefined);
    let services: Services;
    try {
      services = await startServices({
        dir: DEV_FOLDER,
        programs: options.programs,
        only: ['temporal', 'postgres', 'redis'],
        log: say,
        signal: stop,
      });
    } catch (error) {
      if (stop.aborted) return;
      throw new GranaryError('ProviderUnreachable', `The servers did not start. ${messageOf(error)}`, {
        cause: error,
      });
    }
    try {
      await work(options, services, await bundled, stop, now);
    } finally {
      await services.stop();
    }
  });
  // Temporal's runtime may hold the process although nothing is left to do.
  process.exit();
}

async function work(
  { project, env: environment, port }: DevOptions,
  services: Services,
  bundleFile: string,
  stop: AbortSignal,
  now: AbortSignal,
): Promise<void> {
  if (stop.aborted) return;
  const env = environmentFor(services, resolve(DEV_FOLDER));
  const variables = {
    ...services.env,
    ...(services.handles.temporal ? { TEMPORAL_CONFIG_FILE: env['TEMPORAL_CONFIG_FILE'] ?? '' } : {}),
  };
  const failure = new AbortController();
  const failed = (error: unknown): void => failure.abort(error);
  let session: Promise<() => Promise<void>> | undefined;
  let features: string | undefined;
  let isApplied = false;
  let isTold = false;
  const hear = (message: Told): void => {
    if (message.type === 'polls') {
      session = openSession(message.environment, variables);
      session.catch(failed);
    }
    if (message.type === 'serves' && message.url !== features) {
      features = message.url;
      say('features', `served at ${features}`);
    }
    if (message.type === 'applied') isApplied = true;
    if (isApplied && !isTold && features !== undefined) {
      isTold = true;
      process.stdout.write([...addressLines(services.env, features), ...nextLines(project), ''].join('\n'));
    }
  };
  const reloader = new Reloader({
    ...{ project: resolve(project), bundle: bundleFile, env, port, say, hear },
    ...(environment === undefined ? {} : { environment }),
  });
  const end = (): Promise<void> => reloader.stop(now);
  for (const signal of [stop, failure.signal])
    signal.addEventListener('abort', () => void end().catch(failed), { once: true });
  // What nobody awaits may fail, too; the servers do not outlive it.
  process.on('uncaughtException', failed);
  try {
    await reloader.run();
    failure.signal.throwIfAborted();
  } finally {
    await end();
    await session?.then((close) => close()).catch(() => undefined);
    process.off('uncaughtException', failed);
  }
}

/** Bundles the workflows once, so that each new worker starts at once. They are the package's, and do not change. */
async function bundle(): Promise<string> {
  const file = resolve(join(DEV_FOLDER, 'workflows.js'));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  await writeFile(file, code);
  return file;
}
