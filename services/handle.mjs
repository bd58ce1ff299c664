import { defaultDir, layoutOf } from './layout.mjs';
import { launch } from './launch.mjs';
import { closes } from './probes.mjs';
import { isAlive, signalProcess, waitForExit } from './processes.mjs';
import { readRecord } from './record.mjs';
import { serverNamed } from './server.mjs';

/** @type {typeof import('./index.mjs').serviceHandle} */
export function serviceHandle(name, { dir = defaultDir } = {}) {
  return handleOf(serverNamed(name), layoutOf(dir));
}

/**
 * @param {import('./server.mjs').Server} server
 * @param {import('./layout.mjs').Layout} layout
 * @returns {import('./index.mjs').ServiceHandle}
 */
export function handleOf(server, layout) {
  const { name } = server;
  const record = () => {
    const found = readRecord(layout, name);
    if (!found) throw new Error(`${name} was never started in ${layout.dir}.`);
    return found;
  };
  return {
    name,
    get pid() {
      const current = record();
      return isAlive(current) ? current.pid : undefined;
    },
    async kill(signal = 'SIGKILL') {
      const current = record();
      signalProcess(current, signal);
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
      if (!(await waitForExit(current, 20_000)))
        throw new Error(`${name} (pid ${current.pid}) survived ${signal}.`);
      // It may be started again at once, on the same ports.
      for (const port of Object.values(current.ports)) await closes(port);
    },
    async start() {
      const { ports, program, ...current } = record();
      if (isAlive(current)) throw new Error(`${name} (pid ${current.pid}) runs already.`);
      await launch(server, layout, { program, ports });
    },
  };
}
