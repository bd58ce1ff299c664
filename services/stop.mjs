import fs from 'node:fs';
import path from 'node:path';
import { defaultDir, layoutOf } from './layout.mjs';
import { withLock } from './lock.mjs';
import { isAlive, signalProcess, waitForExit } from './processes.mjs';
import { readRecord } from './record.mjs';
import { servers } from './server.mjs';
import { removeOutside } from './unprivileged.mjs';
import { liveUsers } from './users.mjs';

/** @typedef {import('./layout.mjs').Layout} Layout */

/** @type {typeof import('./index.mjs').stopServices} */
export async function stopServices({ dir = defaultDir, log = () => {} } = {}) {
  const layout = layoutOf(dir);
  if (!fs.existsSync(layout.dir)) return;
  await withLock(layout.lock, async () => {
    fs.rmSync(layout.keep, { force: true });
    const users = liveUsers(layout);
    if (users.length > 0) log('services', `in use by pid ${users.join(', ')}, stopped all the same`);
    await stopAll(layout, log);
  });
}

/** @type {typeof import('./index.mjs').purgeServices} */
export async function purgeServices({ dir = defaultDir, log = () => {} } = {}) {
  const layout = layoutOf(dir);
  if (!fs.existsSync(layout.dir)) return;
  await withLock(layout.lock, async () => {
    await stopAll(layout, log, 'SIGKILL'); // what they would save is removed anyway
    for (const entry of fs.readdirSync(layout.dir)) {
      const file = path.join(layout.dir, entry);
      if (file !== layout.lock) fs.rmSync(file, { recursive: true, force: true, maxRetries: 5 });
    }
    removeOutside(layout);
  });
}

/** @type {typeof import('./index.mjs').serviceStatus} */
export function serviceStatus({ dir = defaultDir } = {}) {
  const layout = layoutOf(dir);
  return servers.map(({ name, environment }) => {
    const record = readRecord(layout, name);
    if (!record || !isAlive(record)) return { name, pid: undefined, env: {} };
    return { name, pid: record.pid, env: environment(record.ports) };
  });
}

/**
 * Stops the servers that the records name, and nothing else. For holders of the lock.
 * @param {Layout} layout
 * @param {import('./index.mjs').Log} log
 * @param {NodeJS.Signals} [signal] instead of each server's own
 */
export async function stopAll(layout, log, signal) {
  await Promise.all(
    servers.map(async ({ name, stopSignal, tidy }) => {
      const record = readRecord(layout, name);
      if (!record) return;
      const wasAlive = signalProcess(record, signal ?? stopSignal);
      if (wasAlive && !(await waitForExit(record, 15_000))) {
        log(name, 'does not stop when asked; killed');
        signalProcess(record, 'SIGKILL');
        await waitForExit(record, 5000);
      }
      await tidy?.(record.ports);
      if (wasAlive) log(name, 'stopped');
    }),
  );
}
