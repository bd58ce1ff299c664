import fs from 'node:fs';
import path from 'node:path';
import { repository } from '../services/layout.mjs';
import { withLock } from '../services/lock.mjs';
import { npm } from '../services/postgres-programs.mjs';
import { isMusl } from '../services/platform.mjs';
import { run } from '../services/processes.mjs';

/** @typedef {(part: string, message: string) => void} Log */

const modules = path.join(repository, 'node_modules');
const output = path.join(repository, 'lib');
/** Its time is when the last whole build began. */
const built = path.join(output, '.built');
const setUp = path.join(repository, '.granary', 'set-up');

/**
 * Installs what package-lock.json names, unless it is there. Install scripts stay off: nothing here needs them,
 * since esbuild and @swc/core get their binaries as optional packages.
 * @param {Log} log
 */
export async function ensureDependencies(log) {
  if (areDependenciesCurrent()) return;
  await withLock(setUp, async () => {
    if (areDependenciesCurrent()) return; // another process was at it
    const began = performance.now();
    log('packages', 'installing with npm ci');
    const { command, args } = npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
    const result = await run(command, args, { cwd: repository });
    if (result.code !== 0) throw new Error(`npm ci failed:\n${result.output.trim()}`);
    log('packages', `installed in ${secondsSince(began)}`);
  });
}

/**
 * Compares the lock with what npm wrote down when it last finished an installation, so that one made by hand
 * counts and one cut short does not.
 */
function areDependenciesCurrent() {
  const wanted = readPackages(path.join(repository, 'package-lock.json'));
  const installed = readPackages(path.join(modules, '.package-lock.json'));
  return Object.entries(wanted)
    .filter(([location, entry]) => location !== '' && isForThisMachine(entry))
    .every(([location, { version, integrity }]) => {
      const found = installed[location];
      return found?.version === version && found?.integrity === integrity;
    });
}

/**
 * @param {string} file
 * @returns {Record<string, any>}
 */
function readPackages(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')).packages;
  } catch {
    return {};
  }
}

/**
 * Optional packages are mostly binaries for one platform; those without a platform may fail to install in peace.
 * @param {{ optional?: boolean, devOptional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} entry
 */
function isForThisMachine({ optional, devOptional, os, cpu, libc }) {
  if (!optional && !devOptional) return true;
  if (!os || !cpu) return false;
  const matches = os.includes(process.platform) && cpu.includes(process.arch);
  return matches && (!libc || libc.includes(isMusl ? 'musl' : 'glibc'));
}

/**
 * Compiles the rooms into lib/, unless they have not changed since.
 * @param {Log} log
 */
export async function ensureBuild(log) {
  if (isBuildCurrent()) return;
  await withLock(setUp, async () => {
    if (isBuildCurrent()) return;
    const began = performance.now();
    const startedAt = new Date();
    const compiler = path.join(modules, 'typescript', 'bin', 'tsc');
    const result = await run(process.execPath, [compiler, '-p', 'tsconfig.json'], { cwd: repository });
    if (result.code !== 0) throw new Error(`The sources do not compile:\n${result.output.trim()}`);
    fs.mkdirSync(output, { recursive: true });
    fs.writeFileSync(built, '');
    fs.utimesSync(built, startedAt, startedAt); // what was edited during the build is not in it
    log('build', `compiled in ${secondsSince(began)}`);
  });
}

function isBuildCurrent() {
  const last = fs.statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const config = path.join(repository, 'tsconfig.json');
  const { include } = JSON.parse(fs.readFileSync(config, 'utf8'));
  return [config, path.join(modules, '.package-lock.json'), ...include.flatMap(sources)].every(
    (file) => (fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) < last,
  );
}

/**
 * Files and folders alike: a folder's time tells of a file that was removed.
 * @param {string} room
 */
function sources(room) {
  const folder = path.join(repository, room);
  if (!fs.existsSync(folder)) return [];
  const entries = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return [folder, ...entries.map((entry) => path.join(folder, entry))];
}

/** @param {number} began */
function secondsSince(began) {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}
