import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { environmentFor } from '../services/environment.mjs';
import { startServices } from '../services/index.mjs';
import { repository } from '../services/layout.mjs';

const stopping = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * Runs a Node program with the services up, and stops them when it ends, however it ends. Resolves to its exit
 * status.
 * @param {readonly string[]} args
 * @param {{ dir: string, log: import('../services/index.mjs').Log, only?: readonly import('../services/index.mjs').ServiceName[], keep?: boolean, whenKept?: (env: object) => void }} options
 * @returns {Promise<number>}
 */
export async function runWithServices(args, { dir, log, only, keep = false, whenKept }) {
  const setUp = new AbortController();
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child;
  /** @type {NodeJS.Signals | undefined} */
  let received;
  /** @param {NodeJS.Signals} signal */
  const onSignal = (signal) => {
    received ??= signal;
    setUp.abort();
    // A terminal sends Ctrl-C to the child as well; twice would look like impatience.
    if (!(signal === 'SIGINT' && process.stdin.isTTY)) child?.kill(signal);
  };
  for (const signal of stopping) process.on(signal, onSignal);
  const orphaned = watchForNpm(() => onSignal('SIGTERM'));
  process.stdout.on('error', () => {}); // a reader that went away (`| head`) must not keep us from stopping the services
  try {
    const services = await startServices({ dir, log, only, signal: setUp.signal });
    try {
      if (received) return 128 + constants.signals[received];
      child = spawn(process.execPath, args, {
        cwd: repository,
        stdio: 'inherit',
        env: environmentFor(services, dir),
      });
      const status = await exitOf(child);
      if (keep && !received) {
        await services.keep();
        whenKept?.(services.env);
      }
      return status;
    } finally {
      await services.stop();
    }
  } catch (error) {
    const isGivenUp = /** @type {Error} */ (error).name === 'AbortError';
    if (received && isGivenUp) return 128 + constants.signals[received];
    throw error;
  } finally {
    clearInterval(orphaned);
    for (const signal of stopping) process.off(signal, onSignal);
  }
}

/**
 * npm runs us in a shell, and a signal that is sent to npm ends that shell without reaching us.
 * @param {() => void} whenGone
 */
function watchForNpm(whenGone) {
  const parent = process.ppid;
  const check = () => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    whenGone();
  };
  const timer = setInterval(check, 300).unref();
  if (!process.env['npm_lifecycle_event']) clearInterval(timer);
  return timer;
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<number>}
 */
function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}
