import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The entry point laid out as in an installed package, with nothing beside it; and how a Node of another age would call it. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'granary-entry-'));
  await mkdir(join(folder, 'lib/cli'), { recursive: true });
  await mkdir(join(folder, 'cli'));
  await cp('cli/granary.cjs', join(folder, 'cli/granary.cjs'));
  await cp('package.json', join(folder, 'package.json'));
  await writeFile(
    join(folder, 'age.cjs'),
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: process.env.AGE } });`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function run(main: string, args: readonly string[] = [], age?: string): Promise<[number, string]> {
  const required = age === undefined ? [] : ['--require', join(folder, 'age.cjs')];
  return writeFile(join(folder, 'lib/cli/main.js'), main).then(
    () =>
      new Promise((resolve) => {
        execFile(
          process.execPath,
          [...required, join(folder, 'cli/granary.cjs'), ...args],
          { env: { ...process.env, AGE: age } },
          (error, _, stderr) => resolve([Number(error?.code ?? 0), stderr]),
        );
      }),
  );
}

const MAIN = 'export const main = () => {};';

describe('granary, where it cannot be loaded, says so in a line: ', () => {
  it.each([
    ['18.20.4', 2, 'Node 18.20.4 is too old: granary needs 20.19 or newer.'],
    ['20.18.3', 2, 'Node 20.18.3 is too old: granary needs 20.19 or newer.'],
    ['20.19.0', 0, ''],
    ['24.1.0', 0, ''],
  ])('Node %s', async (age, status, said) => {
    const [ended, stderr] = await run(MAIN, [], age);
    expect([ended, stderr.split('\n').length]).toEqual([status, status === 0 ? 1 : 2]);
    expect(stderr).toContain(said);
  });

  it.each([
    [
      'a package beside it is not installed',
      `import '@temporalio/worker'; ${MAIN}`,
      2,
      /^granary: The package @temporalio\/worker is not installed; .*: npm install .*@temporalio\/worker@\^1\.24\.0.* \[ConfigurationMissing\]\n$/,
    ],
    [
      'a package of its own is missing',
      `import 'commander'; ${MAIN}`,
      2,
      /^granary: The package commander is missing\. .*: npm install \[ConfigurationMissing\]\n$/,
    ],
    [
      'anything else',
      `import fs from 'node:fs'; throw new Error('bad luck');`,
      1,
      /^granary: The command cannot be loaded: Error: bad luck\n[^]*\[Internal\]\n$/,
    ],
  ])('%s', async (_, main, status, said) => {
    const [ended, stderr] = await run(main);
    expect(stderr).toMatch(said);
    expect(ended).toBe(status);
  });

  it('as JSON where that was asked for', async () => {
    const [, stderr] = await run(MAIN, ['--json'], '18.0.0');
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ConfigurationMissing', exitCode: 2 } });
  });
});

it('a reader of errors that has gone changes nothing', async () => {
  const child = spawn(process.execPath, ['cli/granary.cjs', 'runs', 'list', '--project', 'nowhere.ts'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.destroy();
  expect(await once(child, 'exit')).toEqual([2, null]);
});
