import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import { findStrays, identityOf, isAlive, signalProcess, waitForExit } from '../../services/processes.mjs';

/** @type {import('node:child_process').ChildProcess[]} */
const children = [];
afterAll(() => children.forEach((child) => child.kill('SIGKILL')));

/** @param {string[]} args */
async function startSleeper(...args) {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', ...args]);
  children.push(child);
  await once(child, 'spawn');
  return { child, pid: /** @type {number} */ (child.pid) };
}

describe('a process', () => {
  it('is alive as long as its pid and its start time are both the same', async () => {
    const { child, pid } = await startSleeper();
    const started = identityOf(pid);
    expect(started).toBeDefined();
    expect(isAlive({ pid, started })).toBe(true);
    expect(isAlive({ pid, started: `${started}0` })).toBe(false);
    child.kill('SIGKILL');
    expect(await waitForExit({ pid, started }, 5000)).toBe(true);
    expect(isAlive({ pid, started })).toBe(false);
  });

  it('is not signalled when it only has the pid of the one that was meant', async () => {
    const { child, pid } = await startSleeper();
    expect(signalProcess({ pid, started: 'some other time' }, 'SIGKILL')).toBe(false);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    expect(identityOf(pid)).toBeDefined();
  });

  it.skipIf(process.platform !== 'linux')('is dead as a zombie', async () => {
    // The shell has become another program before its child ends, and that one never waits for it.
    const shell = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(shell);
    const pid = Number(String((await once(shell.stdout, 'data'))[0]).trim());
    await expect.poll(() => identityOf(pid), { timeout: 5000 }).toBeUndefined();
    expect(() => process.kill(pid, 0)).not.toThrow(); // its pid is still taken
  });

  it.each([
    ['nothing', undefined],
    ['an empty record', {}],
    ['a pid without a start time', { pid: process.pid }],
  ])('is not alive where there is %s', (_what, record) => {
    expect(isAlive(record)).toBe(false);
  });

  it('is found by its program and the path that only it was given', async () => {
    const path = `/tmp/data of ${process.pid}`;
    const { pid } = await startSleeper('--', '--dir', path);
    const trace = { program: /^node/, flag: '--dir', values: [path] };
    if (process.platform === 'linux') expect(findStrays(trace).map((stray) => stray.pid)).toEqual([pid]);
    expect(findStrays({ ...trace, flag: '-D' })).toEqual([]);
    expect(findStrays({ ...trace, program: /^redis/ })).toEqual([]);
  });
});
