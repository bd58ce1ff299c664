import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectFiles } from '../../cli/init/project-files.js';
import { writeProject } from '../../cli/init/write-project.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'granary-init-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const files = () => projectFiles('corner_shop', new Date('2026-03-31T12:00:00Z'));

describe('granary init', () => {
  it('writes a project of that name with its data, its runs beginning where its data do', async () => {
    const target = join(folder, 'a', 'b');
    await writeProject(target, await files());
    expect((await readdir(target)).sort()).toEqual(
      [
        '.gitignore',
        'README.md',
        'data',
        'granary.ts',
        'make-orders.mjs',
        'package.json',
        'tests',
        'tsconfig.json',
      ].sort(),
    );
    const granary = await readFile(join(target, 'granary.ts'), 'utf8');
    expect(granary).toContain("name: 'corner_shop'");
    expect(granary).toContain("startDate: '2026-03-03'");
    const orders = (await readFile(join(target, 'data/raw/orders.csv'), 'utf8')).trim().split('\n');
    expect(orders[0]).toBe('user_id,ordered_at,amount,again');
    expect(orders.length).toBeGreaterThan(1000);
  });

  it('asks for this version of the package, and for one version of all of Temporal', async () => {
    const own = JSON.parse(await readFile('package.json', 'utf8'));
    const manifest = JSON.parse((await files()).find(({ path }) => path === 'package.json')?.content ?? '');
    const { granary, ...temporal } = manifest.dependencies;
    expect(granary).toBe(`^${own.version}`);
    expect(Object.keys(temporal).sort()).toEqual(Object.keys(own.peerDependencies).sort());
    expect(new Set(Object.values(temporal))).toEqual(
      new Set([`^${own.devDependencies['@temporalio/worker']}`]),
    );
    expect(manifest.type).toBe('module');
  });

  it('takes an empty folder, also one that is a repository already', async () => {
    await mkdir(join(folder, '.git'));
    await writeProject(folder, await files());
    expect(await readdir(folder)).toContain('granary.ts');
  });

  it('refuses a folder that holds something, says what, and writes nothing', async () => {
    await writeFile(join(folder, 'mine.txt'), 'mine');
    await expect(writeProject(folder, await files())).rejects.toThrow(/is not empty: it holds mine\.txt\./);
    expect(await readdir(folder)).toEqual(['mine.txt']);
  });

  it('takes away what an init that was killed has left, and leaves one alone that is at work', async () => {
    const dead = spawnSync(process.execPath, ['--version']).pid;
    await mkdir(join(folder, `.granary-init-${dead}-abc`, 'tests'), { recursive: true });
    await writeProject(folder, await files());
    expect((await readdir(folder)).filter((name) => name.includes('init'))).toEqual([]);

    const other = join(folder, 'data', 'other');
    await mkdir(join(other, `.granary-init-${process.pid}-abc`), { recursive: true });
    await expect(writeProject(other, await files())).rejects.toThrow(/is not empty/);
  });

  it.each([
    ['is a file', 'file', /is a file/],
    ['lies below a file', 'file/below', /is a file|No project was made/],
  ])('refuses a folder that %s', async (_, name, message) => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeProject(join(folder, name), await files())).rejects.toThrow(message);
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('leaves nothing half-made when it fails', async () => {
    const broken = [...(await files()), { path: 'granary.ts/below', content: '', about: '' }];
    await expect(writeProject(join(folder, 'new', 'shop'), broken)).rejects.toThrow(/Nothing is left of it/);
    expect(await readdir(folder)).toEqual([]);
    await mkdir(join(folder, 'empty'));
    await expect(writeProject(join(folder, 'empty'), broken)).rejects.toThrow(/Nothing is left of it/);
    expect(await readdir(join(folder, 'empty'))).toEqual([]);
  });
});
