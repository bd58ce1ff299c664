import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const hasProc = fs.existsSync('/proc/self/stat');
const bootId = hasProc ? readText('/proc/sys/kernel/random/boot_id').trim() : '';

/**
 * What tells a process from any other that gets the same pid later: its start time, within one boot.
 * Undefined when there is no such process; a zombie that nobody has reaped yet counts as dead.
 * @param {number} pid
 * @returns {string | undefined}
 */
export function identityOf(pid) {
  return hasProc ? identityFromProc(pid) : identityFromPs(pid);
}

/** @param {number} pid */
function identityFromProc(pid) {
  const stat = readText(`/proc/${pid}/stat`);
  // The program's name, in parentheses, may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, started] = [fields[0], fields[19]];
  return state && started && !'ZX'.includes(state) ? `${bootId}:${started}` : undefined;
}

/** @param {number} pid */
function identityFromPs(pid) {
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [, state, started] = /^\s*(\S+)\s+(.+?)\s*$/m.exec(stdout ?? '') ?? [];
  return state && started && !state.startsWith('Z') ? started : undefined;
}

/**
 * @param {{ pid?: number | undefined, started?: string | undefined } | undefined} process
 * @returns {process is { pid: number, started: string }}
 */
export function isAlive(process) {
  return !!process?.pid && !!process.started && identityOf(process.pid) === process.started;
}

/** What this process writes into locks and lists, so that others can tell whether it still runs. */
export function ownIdentity() {
  return { pid: process.pid, started: identityOf(process.pid) };
}

/**
 * Sends a signal to exactly this process; false when it is gone, and never to one that has taken its pid.
 * @param {{ pid?: number | undefined, started?: string | undefined }} target
 * @param {NodeJS.Signals} signal
 */
export function signalProcess(target, signal) {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * True once the process is gone, false when it still runs after `ms`.
 * @param {{ pid?: number | undefined, started?: string | undefined }} target
 * @param {number} ms
 */
export async function waitForExit(target, ms) {
  for (const end = Date.now() + ms; isAlive(target); await sleep(15)) if (Date.now() > end) return false;
  return true;
}

/**
 * Servers of ours that no record names, because the process that started them was killed in between: such a
 * program, with this very path after this flag.
 * @param {{ program: RegExp, flag: string, values: readonly string[] }} trace
 */
export function findStrays({ program, flag, values }) {
  return commandLines()
    .filter(({ args }) => program.test(path.basename(args[0] ?? '')))
    .filter(({ args }) => args.some((value, at) => args[at - 1] === flag && values.includes(value)))
    .map(({ pid }) => ({ pid, started: identityOf(pid) }));
}

/** @returns {{ pid: number, args: string[] }[]} */
function commandLines() {
  if (hasProc) {
    const pids = fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
    return pids.map((pid) => ({ pid: Number(pid), args: readText(`/proc/${pid}/cmdline`).split('\0') }));
  }
  const { stdout } = spawnSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').map((line) => {
    const [pid, ...args] = line.trim().split(' '); // a path with a space in it is not found here: it is only a second net
    return { pid: Number(pid), args };
  });
}

/**
 * Runs a tool to its end and gathers what it prints. A tool that cannot be started has the code -1.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout?.on('data', (data) => (output += data));
    child.stderr?.on('data', (data) => (output += data));
    child.on('error', (error) => resolve({ code: -1, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? -1, output }));
  });
}

/** @param {string} file */
function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
