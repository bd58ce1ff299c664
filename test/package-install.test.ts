import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../client/index.js';
import { installPackage, packPackage, packageVersions, userEnvironment } from './support/packed-package.js';
import { createWorld, type World } from './support/world.js';

/**
 * The package as its users get it: packed, installed into an empty project outside of this repository, and run there against real servers.
 */
const run = promisify(execFile);
const clean = userEnvironment();
let world: World;
let folder: string;
const bin = (name: string): string => join(folder, 'node_modules', '.bin', name);

beforeAll(async () => {
  world = await createWorld();
  folder = await mkdtemp(join(tmpdir(), 'granary-consumer-'));
  await cp('test/fixtures/consumer', folder, { recursive: true });
  const dependencies = await packageVersions(['typescript', '@types/node']);
  await installPackage(folder, await packPackage(folder), { name: 'consumer', dependencies });
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
