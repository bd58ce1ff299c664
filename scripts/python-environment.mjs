import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { repository } from '../services/layout.mjs';
import { withLock } from '../services/lock.mjs';
import { run } from '../services/processes.mjs';

const requirements = path.join(repository, 'scripts', 'python-requirements.txt');
const home = path.join(repository, '.granary', 'python');

/** Written last, so that an installation cut short does not count; holds the checksum of what was asked for. */
const complete = path.join(home, '.complete');
const lock = path.join(repository, '.granary', 'python-set-up');

/** The interpreter of the virtual environment. */
const interpreter = path.join(home, 'bin', 'python');

const wanted = () => createHash('sha256').update(fs.readFileSync(requirements)).digest('hex');

/**
 * The interpreter with the pinned packages: GRANARY_PYTHON's, or that of .granary/python; undefined when it has not
 * been made, or from other requirements.
 * @returns {string | undefined}
 */
export function pythonPath() {
  if (process.env['GRANARY_PYTHON']) return process.env['GRANARY_PYTHON'];
  try {
    return fs.readFileSync(complete, 'utf8') === wanted() ? interpreter : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes the virtual environment, unless it is there. Some 60 s and 860 MB.
 * @param {(part: string, message: string) => void} log
 * @returns {Promise<string>} the interpreter
 * @throws when there is no Python 3.11 with pip, or no package index
 */
export async function ensurePython(log) {
  const known = pythonPath();
  if (known !== undefined) return known;
  return await withLock(lock, async () => {
    const made = pythonPath(); // another process was at it
    if (made !== undefined) return made;
    const began = performance.now();
    log('python', `installing ${path.relative(repository, requirements)} into .granary/python`);
    fs.rmSync(home, { recursive: true, force: true });
    // Debian's python3 has venv but not ensurepip, and its pip installs into an environment that has none.
    await tool('python3', ['-m', 'venv', '--without-pip', home]);
    const pip = ['-m', 'pip', '--python', interpreter, 'install', '--quiet', '--disable-pip-version-check'];
    await tool('python3', [...pip, '--no-deps', '--requirement', requirements]);
    fs.writeFileSync(complete, wanted());
    log('python', `installed in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    return interpreter;
  });
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
async function tool(command, args) {
  const { code, output } = await run(command, args, { cwd: repository });
  if (code !== 0)
    throw new Error(
      `${command} ${args.slice(0, 3).join(' ')} failed; the packages need Python 3.11 or newer with pip 22.3 or newer:\n${output.trim()}`,
    );
}
