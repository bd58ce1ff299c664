import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { isRoot, isSet } from './platform.mjs';
import { run } from './processes.mjs';

/**
 * How and where a program that refuses to run as root is run.
 * @typedef {object} Place
 * @property {string} bin the folder with its programs
 * @property {string} home the folder that its data goes into
 * @property {string[]} prefix what the command starts with
 * @property {{ uid?: number, gid?: number, cwd?: string }} options
 */

const nobody = 65534;

/**
 * Postgres refuses uid 0. In a user namespace root is somebody else in name only: the same files, nothing copied,
 * and a home that only root may enter does no harm. Where the kernel refuses one (most containers), the programs
 * are copied to a folder that the user nobody can reach, and run as nobody.
 * @param {import('./layout.mjs').Layout} layout
 * @param {string} bin
 * @returns {Promise<Place>}
 */
export async function unprivileged(layout, bin) {
  const [home, outsideHome] = postgresHomes(layout);
  if (!isRoot) return { bin, home, prefix: [], options: {} };
  const prefix = ['unshare', '-U', `--map-user=${nobody}`, `--map-group=${nobody}`];
  if (await canUnshare(prefix)) return { bin, home, prefix, options: {} };
  const outside = outsideFolder(layout);
  makeOutside(outside);
  const uid = await uidOfNobody();
  fs.mkdirSync(outsideHome, { recursive: true, mode: 0o700 });
  fs.chownSync(outsideHome, uid, uid);
  const programs = isReachable(bin) ? bin : await copyPrograms(bin, outside);
  return { bin: programs, home: outsideHome, prefix: [], options: { uid, gid: uid, cwd: outsideHome } };
}

/**
 * Where its data may be: with everything else, or outside.
 * @param {import('./layout.mjs').Layout} layout
 * @returns {[string, string]}
 */
export function postgresHomes(layout) {
  return [path.dirname(layout.data('postgres')), path.join(outsideFolder(layout), 'data')];
}

/**
 * Removes what was kept outside of the services' own folder.
 * @param {import('./layout.mjs').Layout} layout
 */
export function removeOutside(layout) {
  const outside = outsideFolder(layout);
  if (isRoot && fs.lstatSync(outside, { throwIfNoEntry: false })?.uid === 0) {
    fs.rmSync(outside, { recursive: true, force: true });
  }
}

/** @param {readonly string[]} prefix */
async function canUnshare([command, ...args]) {
  if (process.platform !== 'linux' || isSet('GRANARY_NO_UNSHARE')) return false;
  const { output } = await run(command, [...args, 'id', '-u']);
  return output.trim() === String(nobody);
}

/** @param {import('./layout.mjs').Layout} layout */
function outsideFolder({ dir }) {
  return path.join('/var/tmp', `granary-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`);
}

/**
 * Anyone may make a folder of this name in /var/tmp; programs run from it, so it must be root's own.
 * @param {string} folder
 */
function makeOutside(folder) {
  fs.mkdirSync(folder, { recursive: true });
  const stat = fs.lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== 0) throw new Error(`${folder} is not root's own folder; remove it`);
  fs.chmodSync(folder, 0o755); // whatever the umask is
}

/**
 * Whether everyone may read this folder and enter every one above it.
 * @param {string} folder
 */
function isReachable(folder) {
  for (let at = fs.realpathSync(folder); ; at = path.dirname(at)) {
    if ((fs.statSync(at).mode & 0o005) !== 0o005) return false;
    if (at === path.dirname(at)) return true;
  }
}

/**
 * @param {string} bin
 * @param {string} outside
 */
async function copyPrograms(bin, outside) {
  const [installation, version] = [path.dirname(bin), path.basename(path.dirname(path.dirname(bin)))];
  const copy = path.join(outside, version);
  if (!fs.existsSync(copy)) {
    const draft = `${copy}.draft`;
    fs.rmSync(draft, { recursive: true, force: true });
    fs.cpSync(installation, draft, { recursive: true, verbatimSymlinks: true });
    await run('chmod', ['-R', 'a+rX', draft]);
    fs.renameSync(draft, copy);
  }
  return path.join(copy, path.basename(bin));
}

async function uidOfNobody() {
  const { code, output } = await run('id', ['-u', 'nobody']); // -2 on macOS
  return code === 0 ? Number(output.trim()) : nobody;
}
