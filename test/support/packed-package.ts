import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** This process' environment without what a user's shell would not have: npm's, Node's and the test runner's variables. */
export const userEnvironment = (): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|TS_NODE)/.test(name)),
  );

/** Packs this package into a folder, as `npm publish` would; resolves to the file. lib/ must be compiled: doing so again would disturb other tests. */
export async function packPackage(folder: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]);
  const [{ filename = '' } = {}] = JSON.parse(stdout) as { filename?: string }[];
  return join(folder, filename);
}

interface Lock {
  packages: Record<string, Record<string, unknown> & { version: string; dev?: true; devOptional?: true }>;
}
type Own = Record<'dependencies' | 'peerDependencies' | 'bin', Record<string, string>> & { version: string };

const ownManifest = async (): Promise<Own> => JSON.parse(await readFile('package.json', 'utf8')) as Own;
const ownLock = async (): Promise<Lock> => JSON.parse(await readFile('package-lock.json', 'utf8')) as Lock;

/** The versions, in this repository's lock, of the package's peers and of these packages. */
export async function packageVersions(more: readonly string[]): Promise<Record<string, string>> {
  const { packages } = await ownLock();
  const { peerDependencies } = await ownManifest();
  return Object.fromEntries(
    [...Object.keys(peerDependencies), ...more].map((name) => [
      name,
      packages[`node_modules/${name}`]?.version ?? '',
    ]),
  );
}

/**
 * Installs a packed package into a project by `npm install`. The project's lock has the versions of ours, so that what `npm ci` brought into npm's
 * cache is enough; what the cache lacks comes from the registry.
 */
export async function installPackage(
  folder: string,
  tarball: string,
  project: Readonly<Record<string, unknown>> & { readonly dependencies: Readonly<Record<string, string>> },
): Promise<void> {
  const manifest = {
    version: '1.0.0',
    private: true,
    ...project,
    dependencies: { ...project.dependencies, granary: `file:${tarball}` },
  };
  const { packages } = await ownLock();
  const { dependencies, peerDependencies, bin, version } = await ownManifest();
  const locked = Object.entries(packages).map(([path, { dev: _, devOptional: __, ...entry }]) => [
    path,
    entry,
  ]);
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest, undefined, 2));
  await writeFile(
    join(folder, 'package-lock.json'),
    JSON.stringify({
      ...{ name: project['name'], version: manifest.version, lockfileVersion: 3, requires: true },
      packages: {
        ...Object.fromEntries(locked),
        '': manifest,
        'node_modules/granary': { version, resolved: `file:${tarball}`, dependencies, peerDependencies, bin },
      },
    }),
  );
  await run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], {
    cwd: folder,
    env: userEnvironment(),
  });
}
