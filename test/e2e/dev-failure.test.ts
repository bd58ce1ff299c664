import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesIn, startCommand, type CommandProcess } from '../support/command-process.js';
import { until } from '../support/until.js';
import { canHaveTinyDisk, onTinyDisk } from '../support/worker-process.js';

/** `granary dev` with a Temporal server of its own, and something that fails once that and the worker run. */
let folder: string;
const name = `d${randomBytes(5).toString('hex')}`;
const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('TEMPORAL_')));

async function projectIn(home: string, first = ''): Promise<string> {
  await mkdir(join(home, 'node_modules'), { recursive: true });
  await symlink(resolve('.'), join(home, 'node_modules', 'granary'));
  await writeFile(join(home, 'package.json'), '{ "type": "module" }');
  await writeFile(
    join(home, 'granary.ts'),
    `${first}
import { defineProject, fromEnv } from 'granary';
export default defineProject({
  name: '${name}',
  resources: [],
  environments: { dev: { registry: { url: fromEnv('DATABASE_URL') }, bind: {} } },
});
`,
  );
  return home;
}

const dev = (home: string, kib?: number): CommandProcess => {
  const disk = kib === undefined ? undefined : { folder: join(home, '.granary'), kib };
  const [command = '', ...args] = [...onTinyDisk(disk), process.execPath, resolve('cli/granary.cjs'), 'dev'];
  return startCommand(command, [...args, '--port', '0', '--programs', resolve('.granary/bin')], home, env);
};

const nothingRuns = (home: string): Promise<void> =>
  until('nothing runs', () => Promise.resolve(processesIn(home).length === 0), { timeoutMs: 10_000 });

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'granary-dev-')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('granary dev stops what it started, and ends with 1, when', () => {
  it('it cannot write down that it runs', async () => {
    const home = await projectIn(join(folder, 'refused'));
    await mkdir(join(home, '.granary/dev/session.json'), { recursive: true });
    const started = dev(home);
    expect(await started.closed).toBe(1);
    expect(started.output()).toMatch(/temporal +from .*worker +polls /s);
    expect(started.output()).toMatch(/temporal +stopped/);
    expect(started.errors()).toContain('EISDIR');
    await nothingRuns(home);
  });

  it.skipIf(!canHaveTinyDisk())(
    'its disk is full',
    async () => {
      // The project's code fills the disk before the worker polls.
      const home = await projectIn(
        join(folder, 'full'),
        `import { writeFileSync } from 'node:fs';
try { writeFileSync('.granary/filler', Buffer.alloc(2 ** 28)); } catch {}`,
      );
      await mkdir(join(home, '.granary'));
      const started = dev(home, 2 ** 16);
      expect(await started.closed).toBe(1);
      expect(started.output()).toMatch(/temporal +from .*temporal +stopped/s);
      expect(started.errors()).toMatch(/ENOSPC|full/);
      await nothingRuns(home);
    },
    120_000,
  );
});
