import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { plainEnvironment } from './platform.mjs';
import { pickPorts } from './ports.mjs';
import { findStrays, identityOf, isAlive, signalProcess, waitForExit } from './processes.mjs';
import { readRecord, writeRecord } from './record.mjs';

/** @typedef {import('./server.mjs').Server} Server */
/** @typedef {import('./server.mjs').Site} Site */
/** @typedef {import('./server.mjs').Ports} Ports */
/** @typedef {import('./layout.mjs').Layout} Layout */

const readyWithin = 60_000;
const attempts = 8;

/**
 * Starts a server that does not run and waits until it answers. A port that someone else was quicker to bind
 * is given up for another, unless the ports are asked for: then it is tried again on the same ones.
 * @param {Server} server
 * @param {Layout} layout
 * @param {{ program: import('./programs.mjs').Program, ports?: Ports, signal?: AbortSignal | undefined }} options
 * @returns {Promise<import('./record.mjs').Record>}
 */
export async function launch(server, layout, { program, ports: asked, signal }) {
  await stopStrays(server, layout);
  let preferred = asked ?? readRecord(layout, server.name)?.ports;
  for (let attempt = 1; ; attempt++) {
    const ports = asked ?? (await pickPorts(server.ports, preferred));
    const site = await server.prepare(layout, program);
    const { record, problem } = await startOnce(server, layout, site, { program, ports }, signal);
    if (problem === undefined) return record;
    const isPortLost = /address already in use|already in use|EADDRINUSE/i.test(problem);
    const mayPass = isPortLost || server.transient?.test(problem);
    if (!mayPass || attempt === attempts) throw new Error(`${server.name} did not start: ${problem}`);
    preferred = undefined;
    await sleep(isPortLost && !asked ? 0 : 400, undefined, { signal });
  }
}

/**
 * Waits until a server that another process started answers.
 * @param {Server} server
 * @param {Layout} layout
 * @param {import('./record.mjs').Record & { pid: number, started: string }} record
 * @param {AbortSignal} [signal]
 */
export async function adopt(server, layout, record, signal) {
  if (await becomesReady(server, layout, record, signal)) return;
  signal?.throwIfAborted();
  throw new Error(
    `${server.name} runs (pid ${record.pid}) but does not answer; see ${layout.log(server.name)}. ` +
      `Stop it (kill ${record.pid}) and try again.`,
  );
}

/**
 * @param {Server} server
 * @param {Layout} layout
 * @param {Site} site
 * @param {{ program: import('./programs.mjs').Program, ports: Ports }} what
 * @param {AbortSignal | undefined} signal
 */
async function startOnce(server, layout, site, { program, ports }, signal) {
  const log = layout.log(server.name);
  const output = openLog(log);
  const { size } = fs.fstatSync(output);
  const options = { env: plainEnvironment(), ...site.options };
  const child = spawn(site.command, site.args(ports), {
    ...options,
    detached: true,
    stdio: ['ignore', output, output],
  });
  // Written down before anything else may run, so that a kill of this process leaves no server without a record
  // (but for an instant, for which there is `stopStrays`).
  const record = { pid: child.pid ?? 0, started: identityOf(child.pid ?? 0) ?? '', ports, program };
  child.unref();
  try {
    if (child.pid) writeRecord(layout, server.name, record);
  } catch (error) {
    signalProcess(record, 'SIGKILL'); // nobody would find it
    throw error;
  } finally {
    fs.closeSync(output);
  }
  if (!child.pid) return { record, problem: String((await once(child, 'error'))[0].message) };
  if (await becomesReady(server, layout, record, signal)) {
    site.whenReady?.();
    return { record };
  }
  const isStuck = signalProcess(record, 'SIGKILL');
  await waitForExit(record, 5000);
  signal?.throwIfAborted();
  const said = fs.readFileSync(log).subarray(size).toString('utf8').trim().slice(-1500);
  return {
    record,
    problem: `${isStuck ? `no answer within ${readyWithin / 1000} s` : 'it ended'}. Its log:\n${said}`,
  };
}

/** @param {string} log */
function openLog(log) {
  fs.mkdirSync(path.dirname(log), { recursive: true });
  const isLong = (fs.statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 5_000_000;
  if (isLong) fs.renameSync(log, `${log}.old`);
  return fs.openSync(log, 'a');
}

/**
 * @param {Server} server
 * @param {Layout} layout
 * @param {import('./record.mjs').Record} record
 * @param {AbortSignal | undefined} signal
 */
async function becomesReady(server, layout, record, signal) {
  for (const end = Date.now() + readyWithin; Date.now() < end && !signal?.aborted; await sleep(20)) {
    if (!isAlive(record)) return false;
    if (await server.isReady(layout, record.ports, record.pid)) return true;
  }
  return false;
}

/**
 * @param {Server} server
 * @param {Layout} layout
 */
async function stopStrays({ name, trace, stopSignal }, layout) {
  for (const stray of findStrays({ ...trace, values: trace.values(layout) })) {
    signalProcess(stray, stopSignal);
    if (!(await waitForExit(stray, 10_000)))
      throw new Error(`a ${name} of an earlier run (pid ${stray.pid}) does not stop`);
  }
}
