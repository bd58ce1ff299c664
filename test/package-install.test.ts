import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../client/index.js';
import { createWorld, type World } from './support/world.js';

/**
 * The package as its users get it: packed, installed into an empty project outside of this repository, and run there against real
 * servers. The project's lock has the versions of ours, so that what `npm ci` brought into npm's cache is enough; what the cache
 * lacks comes from the registry.
 */
const run = promisify(execFile);
/** What a user's shell would not have. */
const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|TS_NODE)/.test(name)),
);
let world: World;
let folder: string;
const bin = (name: string): string => join(folder, 'node_modules', '.bin', name);

interface Lock {
  packages: Record<string, Record<string, unknown> & { version: string; dev?: true; devOptional?: true }>;
}

async function install(): Promise<void> {
  await cp('test/fixtures/consumer', folder, { recursive: true });
  // lib/ is compiled already, as `npm test` does; compiling it again would disturb the other tests.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]);
  const [{ filename = '' } = {}] = JSON.parse(stdout) as { filename?: string }[];
  const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8')) as Lock;
  const { dependencies, peerDependencies, bin, version } = JSON.parse(
    await readFile('package.json', 'utf8'),
  ) as Record<'dependencies' | 'peerDependencies' | 'bin', Record<string, string>> & { version: string };
  const versionOf = (name: string): [string, string] => [
    name,
    packages[`node_modules/${name}`]?.version ?? '',
  ];
  const manifest = {
    name: 'consumer',
    version: '1.0.0',
    private: true,
    dependencies: {
      granary: `file:${filename}`,
      ...Object.fromEntries([...Object.keys(peerDependencies), 'typescript', '@types/node'].map(versionOf)),
    },
  };
  const locked = Object.entries(packages).map(([path, { dev: _, devOptional: __, ...entry }]) => [
    path,
    entry,
  ]);
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(
    join(folder, 'package-lock.json'),
    JSON.stringify({
      ...{ name: manifest.name, version: manifest.version, lockfileVersion: 3, requires: true },
      packages: {
        ...Object.fromEntries(locked),
        '': manifest,
        'node_modules/granary': {
          version,
          resolved: `file:${filename}`,
          dependencies,
          peerDependencies,
          bin,
        },
      },
    }),
  );
  await run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], {
    cwd: folder,
    env: clean,
  });
}

beforeAll(async () => {
  world = await createWorld();
  folder = await mkdtemp(join(tmpdir(), 'granary-consumer-'));
  await install();
}, 300_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await world[Symbol.asyncDispose]();
});

/** A name of a test's own, known to the project files by CONSUMER_NAME. */
const named = (): { name: string; env: NodeJS.ProcessEnv } => {
  const name = `c${randomBytes(5).toString('hex')}`;
  world.uses({ name });
  return { name, env: { ...clean, CONSUMER_NAME: name } };
};

describe.concurrent('the packed package, installed in an empty project', () => {
  it.each([
    ['an ESM caller', 'esm.mjs'],
    ['a CommonJS caller', 'common.cjs'],
  ])(
    'serves %s, with and without workflows of its own',
    async (_, file) => {
      const { env } = named();
      const { stdout } = await run(process.execPath, [file], { cwd: folder, env });
      expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
        '2026-01-01': [
          ['made', 'made'],
          [10.5, null],
        ],
        '2026-01-02': [
          ['made', 'made'],
          [10.75, 7],
        ],
        greeting: 'hello world',
      });
    },
    240_000,
  );

  it('brings the command, which runs a project written in TypeScript', async () => {
    const { name, env } = named();
    const { stdout } = await run('npx', ['--no-install', 'granary', '--help'], { cwd: folder, env });
    expect(stdout).toMatch(/Usage: granary .*worker.*rollback/s);
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'sales.csv'), 'user_id,sold_at,amount\n1,2026-01-01 10:00:00,1.25\n');
    const worker = spawn(bin('granary'), ['worker'], {
      cwd: folder,
      env,
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    try {
      const lines: string[] = [];
      await new Promise<void>((resolve, reject) => {
        createInterface(worker.stderr).on('line', (line) => {
          lines.push(line);
          if (line.startsWith('granary worker: polls')) resolve();
        });
        void ended.then(() => reject(new Error(lines.join('\n'))));
      });
      const result = (await world.temporal.workflow.execute('pipeline', {
        taskQueue: `granary-${name}-dev`,
        workflowId: name,
        args: [{ date: '2026-01-01' }],
      })) as RunResult;
      expect(result.steps.map((step) => [step.outcome, step.rows])).toEqual([
        ['made', 1],
        ['made', 1],
      ]);
    } finally {
      worker.kill('SIGTERM');
      expect(await ended).toBe(0);
    }
  }, 240_000);

  it('has types for every entry point, for modules of either kind', async () => {
    const { stdout } = await run(bin('tsc'), ['-p', '.'], { cwd: folder, env: clean }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  }, 240_000);
});
