import fs from 'node:fs';
import path from 'node:path';
import { postgresAnswers } from './probes.mjs';
import { identityOf, run } from './processes.mjs';
import { locatePostgres } from './postgres-programs.mjs';
import { plainEnvironment } from './platform.mjs';
import { postgresHomes, unprivileged } from './unprivileged.mjs';

const user = 'granary';

/**
 * Postgres on a loopback port, for this machine's users (trust), without a socket file.
 * @type {import('./server.mjs').Server}
 */
export const postgres = {
  name: 'postgres',
  variable: 'DATABASE_URL',
  ports: ['postgres'],
  stopSignal: 'SIGINT', // its "fast" shutdown: SIGTERM would wait for every client to leave
  transient: /pre-existing shared memory block|the database system is starting up/, // a killed one's children are still leaving
  remedy: 'Set DATABASE_URL to a running Postgres, or install Postgres 14 or newer.',

  locate: locatePostgres,

  trace: { program: /^postgres$/, flag: '-D', values: (layout) => postgresHomes(layout).map(dataFolder) },

  async prepare(layout, program) {
    const place = await unprivileged(layout, program.path);
    const data = dataFolder(place.home);
    const binary = path.join(place.bin, 'postgres');
    await refuseOtherMajor(binary, data);
    if (!fs.existsSync(data)) await createCluster(place, data);
    removeRecycledPid(data);
    const [command, ...prefix] = [...place.prefix, binary];
    return {
      command: command,
      options: place.options,
      args: ({ postgres: port }) => [
        ...[...prefix, '-D', data, '-p', `${port}`, '-c', 'listen_addresses=127.0.0.1'],
        ...['-c', 'unix_socket_directories=', '-c', 'max_connections=200'],
      ],
    };
  },

  // Its pid file names the process and says that it is ready, so no other server on that port is taken for it.
  isReady: async (layout, { postgres: port }, pid) =>
    postgresHomes(layout).some((home) => isServing(dataFolder(home), pid)) && postgresAnswers(port, user),

  environment: ({ postgres: port }) => ({ DATABASE_URL: `postgres://${user}@127.0.0.1:${port}/postgres` }),
};

/** @param {string} home */
function dataFolder(home) {
  return path.join(home, 'postgres');
}

/**
 * @param {string} data
 * @param {number} pid
 */
function isServing(data, pid) {
  const lines = read(path.join(data, 'postmaster.pid')).split('\n');
  return lines[0] === `${pid}` && lines[7]?.trim() === 'ready';
}

/**
 * Made beside its place and then renamed, so that one cut short is never taken for whole. `--no-sync` only
 * spares this first filling of the disk; the server itself runs with fsync on.
 * @param {import('./unprivileged.mjs').Place} place
 * @param {string} data
 */
async function createCluster(place, data) {
  const draft = `${data}.draft`;
  fs.rmSync(draft, { recursive: true, force: true });
  fs.mkdirSync(path.dirname(data), { recursive: true });
  const settings = ['--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'];
  const [command, ...args] = [
    ...place.prefix,
    path.join(place.bin, 'initdb'),
    '-D',
    draft,
    '-U',
    user,
    ...settings,
  ];
  const options = { env: plainEnvironment(), ...place.options };
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new Error(`initdb failed: ${output.trim().slice(-500)}`);
  fs.renameSync(draft, data);
}

/**
 * @param {string} binary
 * @param {string} data
 */
async function refuseOtherMajor(binary, data) {
  const made = read(path.join(data, 'PG_VERSION')).trim();
  if (!made) return;
  const major = /\) (\d+)/.exec((await run(binary, ['--version'], { env: plainEnvironment() })).output)?.[1];
  if (major && major !== made) {
    throw new Error(
      `the data in ${data} was made by Postgres ${made}, and ${binary} is Postgres ${major}. ` +
        'Remove that folder, or set DATABASE_URL.',
    );
  }
}

/**
 * After a crash its pid file stays. Postgres refuses to start when that pid lives, even as another program;
 * we know that ours is gone. A pid that is free is left to Postgres, which then looks for orphaned children.
 * @param {string} data
 */
function removeRecycledPid(data) {
  const file = path.join(data, 'postmaster.pid');
  const pid = Number(read(file).split('\n')[0]);
  if (pid && identityOf(pid)) fs.rmSync(file);
}

/** @param {string} file */
function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
