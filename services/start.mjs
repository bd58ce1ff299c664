import fs from 'node:fs';
import path from 'node:path';
import { handleOf } from './handle.mjs';
import { adopt, launch } from './launch.mjs';
import { defaultDir, defaultPrograms, layoutOf } from './layout.mjs';
import { isDiskFull, withLock } from './lock.mjs';
import { isAlive } from './processes.mjs';
import { readRecord } from './record.mjs';
import { serverNamed, servers } from './server.mjs';
import { stopAll } from './stop.mjs';
import { joinUsers, liveUsers } from './users.mjs';

/** @typedef {import('./layout.mjs').Layout} Layout */
/** @typedef {import('./server.mjs').Server} Server */
/** @typedef {{ layout: Layout, programs: string, log: import('./index.mjs').Log, signal: AbortSignal | undefined }} Context */

/** @type {import('./index.mjs').Log} */
const toStandardError = (part, message) => console.error(`${part.padEnd(9)} ${message}`);

/** @type {typeof import('./index.mjs').startServices} */
export async function startServices(options = {}) {
  const { dir = defaultDir, programs = defaultPrograms, only, log = toStandardError, signal } = options;
  const layout = layoutOf(dir);
  const wanted = only ? only.map(serverNamed) : servers;
  const leave = joinUsers(layout);
  const context = { layout, programs: path.resolve(programs), log, signal };
  const later = { ...context, signal: undefined }; // giving up the set-up must not keep anyone from ending it well
  try {
    const started = await locked(context, () => startAll(wanted, context));
    const handles = wanted
      .filter((server) => started.ours.has(server.name))
      .map((server) => handleOf(server, layout));
    return {
      env: started.env,
      missing: started.missing,
      handles: Object.fromEntries(handles.map((handle) => [handle.name, handle])),
      keep: () => locked(later, async () => fs.writeFileSync(layout.keep, '')),
      stop: () => leaveServices(later, leave),
    };
  } catch (error) {
    await leaveServices(later, leave);
    throw error;
  }
}

/**
 * The last one out stops the servers, unless someone asked for them to stay.
 * @param {Context} context
 * @param {() => void} leave
 */
async function leaveServices(context, leave) {
  const { layout, log } = context;
  const work = async () => {
    leave();
    if (fs.existsSync(layout.keep)) return;
    const others = liveUsers(layout);
    if (others.length > 0) log('services', `left running for pid ${others.join(', ')}`);
    else await stopAll(layout, log);
  };
  try {
    await locked(context, work);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    await work(); // where a lock cannot be written, nobody else has written one
  }
}

/**
 * @template T
 * @param {Context} context
 * @param {() => Promise<T>} work
 */
function locked({ layout, log, signal }, work) {
  const waiting = (/** @type {number} */ pid) =>
    log('services', `waiting for pid ${pid}, which sets them up or stops them`);
  return withLock(layout.lock, work, { signal, waiting });
}

/**
 * @param {readonly Server[]} wanted
 * @param {Context} context
 */
async function startAll(wanted, context) {
  const results = await Promise.allSettled(wanted.map((server) => startOne(server, context)));
  context.signal?.throwIfAborted();
  const problems = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  if (problems.length === 1) throw problems[0];
  if (problems.length > 1)
    throw new AggregateError(problems, problems.map(({ message }) => message).join('\n'));
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  return {
    env: Object.assign({}, ...found.map(({ env }) => env)),
    missing: found.filter(({ env }) => env === undefined).map(({ name }) => name),
    ours: new Set(found.filter(({ isOurs }) => isOurs).map(({ name }) => name)),
  };
}

/**
 * @param {Server} server
 * @param {Context} context
 */
async function startOne(server, context) {
  const { name, variable } = server;
  const { layout, log, signal } = context;
  const began = performance.now();
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;

  const given = process.env[variable];
  if (given) {
    log(name, `${variable} is set, nothing is started`);
    return { name, env: { [variable]: given, ...uiAddress(server) }, isOurs: false };
  }
  const running = readRecord(layout, name);
  if (running && isAlive(running)) {
    await adopt(server, layout, running, signal);
    const env = server.environment(running.ports);
    log(name, `running already (pid ${running.pid}) at ${addressesIn(env)}, ${seconds()}`);
    return { name, env, isOurs: true };
  }
  const program = await locate(server, context);
  if (!program) return { name, env: undefined, isOurs: false };
  const { ports } = await launch(server, layout, { program, signal });
  const env = server.environment(ports);
  log(name, `from ${program.from}, at ${addressesIn(env)}, ${seconds()}`);
  return { name, env, isOurs: true };
}

/** @param {Record<string, string>} env */
function addressesIn(env) {
  return Object.entries(env)
    .flatMap(([name, value]) => (name.startsWith('AWS_') ? [] : [value]))
    .join(', ');
}

/**
 * The user's own server may have its web UI anywhere, so its address is taken over only where it is given.
 * @param {Server} server
 * @returns {Record<string, string>}
 */
function uiAddress({ name }) {
  const address = process.env['TEMPORAL_UI_ADDRESS'];
  return name === 'temporal' && address ? { TEMPORAL_UI_ADDRESS: address } : {};
}

/**
 * @param {Server} server
 * @param {Context} context
 */
async function locate(server, { programs, log, signal }) {
  const search = {
    programs,
    signal,
    tried: [],
    log: (/** @type {string} */ message) => log(server.name, message),
  };
  const program = await server.locate(search);
  signal?.throwIfAborted();
  if (program) return program;
  const tried = search.tried.join('; ');
  if (!server.substitute) throw new Error(`${server.name} cannot be had here (${tried}). ${server.remedy}`);
  log(server.name, `cannot be had here (${tried}): ${server.substitute}. ${server.remedy}`);
  return undefined;
}
