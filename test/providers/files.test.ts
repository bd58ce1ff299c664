import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fileError } from '../../providers/files/file-errors.js';
import { localFileProvider } from '../../providers/files/local.js';
import { fileConformance } from './files.conformance.js';

const base = mkdtempSync(join(tmpdir(), 'granary-store-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let stores = 0;
const newRoot = (): string => join(base, String(stores++), 'data');

async function put(root: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

fileConformance('a local folder', async () => {
  const root = newRoot();
  return Promise.resolve({
    open: () => localFileProvider({ root }),
    overwrite: (path, text) => put(root, path, text),
    names: async (folder) => (await readdir(join(root, folder))).sort(),
  });
});

describe('a local folder', () => {
  const yes = async (): Promise<boolean> => Promise.resolve(true);

  it('neither lists unfinished files nor keeps those of a killed publisher', async () => {
    const root = newRoot();
    const files = localFileProvider({ root });
    await put(root, 'local', 'rows');
    await put(root, 'f/.x.0123456789abcdef.tmp', 'ro');
    await put(root, 'f/.y.0123456789abcdef.tmp', 'of another file');
    expect(await files.list('f')).toEqual([]);
    await files.publish(await files.stage(join(root, 'local'), '_staging/1/x'), 'f/x');
    expect((await readdir(join(root, 'f'))).sort()).toEqual(['.y.0123456789abcdef.tmp', 'x']);
  });

  it('lists through links, and ends where links form a cycle', async () => {
    const root = newRoot();
    await put(root, 'real/a.csv', 'a');
    await mkdir(join(root, 'sources'));
    await symlink('../real', join(root, 'sources', 'linked'));
    await symlink('..', join(root, 'sources', 'up'));
    await symlink('nowhere', join(root, 'sources', 'dangling'));
    const listed = await localFileProvider({ root }).list('sources');
    expect(listed).toContain('sources/linked/a.csv');
    expect(listed.filter((path) => path.includes('up/sources'))).toEqual([]);
  });

  const memory = '/dev/shm';
  const oneDevice = !existsSync(memory) || statSync(memory).dev === statSync(base).dev;
  it.skipIf(oneDevice)('stages from another disk, which a rename cannot do', async () => {
    const root = newRoot();
    const files = localFileProvider({ root });
    const other = mkdtempSync(join(memory, 'granary-'));
    try {
      await writeFile(join(other, 'x'), 'rows');
      expect(await files.stage(join(other, 'x'), '_staging/1/x')).toMatchObject({ bytes: 4 });
      expect(await readdir(join(root, '_staging/1'))).toEqual(['x']);
      expect(await readFile(join(root, '_staging/1/x'), 'utf8')).toBe('rows');
      expect(await readdir(other)).toEqual([]);
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });

  it('repairs a missing or wrong link', async () => {
    const root = newRoot();
    const files = localFileProvider({ root });
    const pointer = { version: 'v_1', interval: { start: 'a', end: 'b' }, generation: 1, files: [] };
    await put(root, 'f/v_1/x', 'rows');
    await files.pointLatest('f', pointer, yes);
    rmSync(join(root, 'f/latest'));
    expect(await files.pointLatest('f', pointer, yes)).toBe('moved');
    rmSync(join(root, 'f/latest'));
    await symlink('v_0', join(root, 'f/latest'));
    expect(await files.pointLatest('f', pointer, yes)).toBe('moved');
    expect(await readFile(join(root, 'f/latest/x'), 'utf8')).toBe('rows');
  });

  it('says what is wrong when latest is a folder', async () => {
    const root = newRoot();
    const files = localFileProvider({ root });
    await put(root, 'f/latest/x', 'rows');
    const pointer = { version: 'v_1', interval: { start: 'a', end: 'b' }, generation: 1, files: [] };
    await expect(files.pointLatest('f', pointer, yes)).rejects.toMatchObject({
      code: 'ConfigurationMissing',
    });
  });

  it('says what is wrong when the root is a file', async () => {
    const root = newRoot();
    await put(dirname(root), 'data', 'a file');
    await expect(localFileProvider({ root }).check()).rejects.toMatchObject({
      message: expect.stringContaining(root) as string,
    });
  });

  it.each([
    ['ENOSPC', 'ResourcesExhausted', /disk is full .*\/data\/x/],
    ['EDQUOT', 'ResourcesExhausted', /disk is full/],
    ['EACCES', 'ConfigurationMissing', /permission .*\/data\/x/],
    ['EROFS', 'ConfigurationMissing', /permission/],
    ['EIO', 'ProviderUnreachable', /does not answer/],
    ['ENOENT', 'SourceMissing', /no file \/data\/x/],
    ['EXYZ', 'Internal', /\/data\/x: what Node said/],
  ])('turns %s into %s', (code, expected, message) => {
    const error = fileError(Object.assign(new Error('what Node said'), { code }), '/data/x');
    expect(error).toMatchObject({ code: expected, message: expect.stringMatching(message) as string });
  });
});
