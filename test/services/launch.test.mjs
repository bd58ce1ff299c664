import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { launch } from '../../services/launch.mjs';
import { layoutOf } from '../../services/layout.mjs';
import { accepts } from '../../services/probes.mjs';
import { signalProcess } from '../../services/processes.mjs';
import { readRecord } from '../../services/record.mjs';

let layout = layoutOf('');
beforeEach(() => {
  layout = layoutOf(fs.mkdtempSync(path.join(os.tmpdir(), 'granary-launch-')));
});
afterEach(() => {
  const record = readRecord(layout, 'redis');
  if (record) signalProcess(record, 'SIGKILL');
  fs.rmSync(layout.dir, { recursive: true, force: true });
});

const program = { path: process.execPath, from: 'the test' };

/**
 * A server that ends with these messages, one a start, before it comes up at last.
 * @param {string[]} failures
 */
function failingServer(...failures) {
  /** @type {number[]} */
  const tried = [];
  /** @type {import('../../services/server.mjs').Server} */
  const server = {
    name: 'redis',
    variable: 'UNUSED',
    ports: ['redis'],
    stopSignal: 'SIGTERM',
    transient: /still leaving/,
    remedy: '',
    trace: { program: /^node$/, flag: '--never', values: () => [] },
    locate: async () => program,
    prepare: async () => ({
      command: program.path,
      args: ({ redis: port }) => {
        const failure = failures[tried.push(port) - 1];
        const listens = `require('node:net').createServer().listen(${port}, '127.0.0.1')`;
        return ['-e', failure ? `console.error(${JSON.stringify(failure)}); process.exit(1)` : listens];
      },
    }),
    isReady: (_layout, { redis: port }) => accepts(port),
    environment: () => ({}),
  };
  return { server, tried };
}

describe('a server', () => {
  it.each([
    ['Redis', 'Could not create server TCP listening socket 127.0.0.1:6379: bind: Address already in use'],
    ['Postgres', 'could not bind IPv4 address "127.0.0.1": Address already in use'],
    ['Temporal', 'listen tcp 127.0.0.1:7233: bind: address already in use'],
  ])('whose port was lost to a race gets another one, as %s says it', async (_name, message) => {
    const { server, tried } = failingServer(message, message);
    const record = await launch(server, layout, { program });
    expect(new Set(tried).size).toBe(3);
    expect(record.ports).toEqual({ redis: tried[2] });
    expect(readRecord(layout, 'redis')).toEqual(record);
  });

  it('is tried again on the ports that are asked for, which its clients know', async () => {
    const { server, tried } = failingServer('address already in use', 'the old one is still leaving');
    const { ports } = await launch(failingServer().server, layout, { program });
    signalProcess(/** @type {any} */ (readRecord(layout, 'redis')), 'SIGKILL');
    await expect.poll(() => accepts(ports['redis'])).toBe(false);
    await launch(server, layout, { program, ports });
    expect(tried).toEqual([ports['redis'], ports['redis'], ports['redis']]);
  });

  it('that fails for good is not tried again, and its own words are passed on', async () => {
    const { server, tried } = failingServer('FATAL: bad configuration', 'never reached');
    await expect(launch(server, layout, { program })).rejects.toThrow(
      /did not start: it ended[^]*FATAL: bad configuration/,
    );
    expect(tried.length).toBe(1);
  });

  it('that always loses its port is given up at last', async () => {
    const { server, tried } = failingServer(...Array.from({ length: 20 }, () => 'address already in use'));
    await expect(launch(server, layout, { program })).rejects.toThrow('address already in use');
    expect(tried.length).toBe(8);
  });

  it('whose program cannot be run fails with the reason', async () => {
    const { server } = failingServer();
    const prepare = async () => ({ command: path.join(layout.dir, 'absent'), args: () => [] });
    await expect(launch({ ...server, prepare }, layout, { program })).rejects.toThrow('ENOENT');
  });

  it('is given up, and does not stay behind, when the caller aborts', async () => {
    const { server } = failingServer();
    const isReady = async () => false;
    const signal = AbortSignal.timeout(300);
    await expect(launch({ ...server, isReady }, layout, { program, signal })).rejects.toThrow(/aborted/);
    expect(signalProcess(/** @type {any} */ (readRecord(layout, 'redis')), 'SIGCONT')).toBe(false);
  });
});
