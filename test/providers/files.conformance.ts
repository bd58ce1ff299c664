import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { FileProvider, StoredFile } from '../../providers/files/provider.js';
import { type FileStoreUnderTest, sha } from './file-store.js';
import { latestConformance } from './files-latest.conformance.js';
import { updateConformance } from './files-update.conformance.js';

const code = (name: string): unknown => expect.objectContaining({ code: name });

/** What every store of files must do. `make` gives a new, empty store. */
export function fileConformance(name: string, make: () => Promise<FileStoreUnderTest>): void {
  describe(`files in ${name}`, () => {
    const scratch = mkdtempSync(join(tmpdir(), 'granary-files-'));
    afterAll(() => rmSync(scratch, { recursive: true, force: true }));
    let store: FileStoreUnderTest;
    let files: FileProvider;
    beforeEach(async () => {
      store = await make();
      files = store.open();
    });

    const local = async (text: string): Promise<string> => {
      const path = join(scratch, randomBytes(8).toString('hex'));
      await writeFile(path, text);
      return path;
    };
    const stage = async (
      text: string,
      path = `_staging/run/1/${randomBytes(4).toString('hex')}`,
    ): Promise<StoredFile> => files.stage(await local(text), path);
    const contents = async (path: string): Promise<string> => readFile(await files.localPath(path), 'utf8');

    it('answers a check, also on a store that has never been used', async () => {
      await files.check();
      expect(await files.list('')).toEqual([]);
      expect(files.uri('a/b c.csv')).toMatch(/^(file|s3):\/\/.*a\/b(%20| )c\.csv$/);
    });

    it('stages a file: size and checksum are those of its bytes, the local file is gone', async () => {
      const path = await local('hello\n');
      const staged = await files.stage(path, '_staging/run/1/features.csv');
      expect(staged).toEqual({ path: '_staging/run/1/features.csv', bytes: 6, sha256: sha('hello\n') });
      expect(await contents(staged.path)).toBe('hello\n');
      await expect(access(path)).rejects.toThrow();
    });

    it('stages an empty file and one of many chunks', async () => {
      const big = 'ż'.repeat(3_000_000);
      expect(await stage('')).toMatchObject({ bytes: 0, sha256: sha('') });
      const staged = await stage(big);
      expect(staged).toMatchObject({ bytes: 6_000_000, sha256: sha(big) });
      await files.publish(staged, 'f/big');
      expect(await files.checksum('f/big')).toBe(sha(big));
    });

    it('stops a stage that is cancelled', async () => {
      const path = await local('x');
      await expect(files.stage(path, '_staging/x', { signal: AbortSignal.abort() })).rejects.toThrow(
        /abort/i,
      );
      expect(await files.stat('_staging/x')).toBeUndefined();
    });

    it.each(['/etc/passwd', '../x', 'a/../../x', 'a//b', 'a/./b', 'a\\b', 'a\0b'])(
      'refuses the path %j',
      async (path) => {
        const staged = await stage('x');
        const refused = code('InvalidInput');
        await expect(files.readText(path)).rejects.toEqual(refused);
        await expect(files.list(path)).rejects.toEqual(refused);
        await expect(files.localPath(path)).rejects.toEqual(refused);
        await expect(files.publish(staged, path)).rejects.toEqual(refused);
        await expect(files.publish({ ...staged, path }, 'x')).rejects.toEqual(refused);
        await expect(files.stage(await local('x'), `_staging/${path}`)).rejects.toEqual(refused);
        await expect(files.removeStaging(`_staging/${path}`)).rejects.toEqual(refused);
      },
    );

    it('stages and removes only below _staging/', async () => {
      for (const path of ['features/x', '_staging', '_stagingx/y', '']) {
        await expect(files.stage(await local('x'), path)).rejects.toEqual(code('InvalidInput'));
        await expect(files.removeStaging(path)).rejects.toEqual(code('InvalidInput'));
      }
    });

    it('removes a staging folder with all in it, and is content when it is absent', async () => {
      await stage('x', '_staging/run/1/a');
      await stage('y', '_staging/run/1/deep/b');
      await stage('z', '_staging/run/10/c');
      await files.removeStaging('_staging/run/1');
      await files.removeStaging('_staging/run/1');
      expect(await files.list('_staging')).toEqual(['_staging/run/10/c']);
    });

    it('removes a file, or a folder with all in it, and nothing beside it', async () => {
      for (const path of ['f/v_1/a', 'f/v_1/deep/b', 'f/v_10/a', 'f/latest.json', 'g/v_1/a'])
        await files.publish(await stage(path), path);
      await files.remove('f/v_1');
      await files.remove('f/latest.json');
      await files.remove('f/v_1');
      await files.remove('nowhere/at/all');
      const left = async (): Promise<string[]> =>
        (await files.list('')).filter((path) => !path.startsWith('_staging/'));
      expect(await left()).toEqual(['f/v_10/a', 'g/v_1/a']);
      await files.remove('f/v_10');
      expect(await left()).toEqual(['g/v_1/a']);
      await files.publish(await stage('anew'), 'f/v_1/a');
      expect(await contents('f/v_1/a')).toBe('anew');
    });

    it.each(['', '_staging', '_staging/', '_staging/run', '../x', '/etc'])(
      'does not remove %j: the store itself, staging, and what is outside',
      async (path) => {
        const staged = await stage('x');
        await expect(files.remove(path)).rejects.toEqual(code('InvalidInput'));
        expect(await contents(staged.path)).toBe('x');
      },
    );

    describe('publish', () => {
      it('copies the recorded bytes, and is content to find them there', async () => {
        const staged = await stage('rows');
        expect(await files.publish(staged, 'f/v_1/features.csv')).toBe('created');
        expect(await files.publish(staged, 'f/v_1/features.csv')).toBe('present');
        expect(await store.open().publish(staged, 'f/v_1/features.csv')).toBe('present');
        expect(await contents('f/v_1/features.csv')).toBe('rows');
        expect(await contents(staged.path)).toBe('rows');
      });

      it('is content when the staged file is gone but its bytes are published', async () => {
        const staged = await stage('rows', '_staging/run/1/x');
        await files.publish(staged, 'f/x');
        await files.removeStaging('_staging/run');
        expect(await files.publish(staged, 'f/x')).toBe('present');
      });

      it('says that the staged file is missing when nothing is published either', async () => {
        const staged = await stage('rows', '_staging/run/1/x');
        await files.removeStaging('_staging/run');
        await expect(files.publish(staged, 'f/x')).rejects.toEqual(
          expect.objectContaining({
            code: 'SourceMissing',
            message: expect.stringContaining('_staging/run/1/x'),
          }),
        );
      });

      it('refuses other bytes under the same name and leaves those that are there', async () => {
        await files.publish(await stage('first'), 'f/x');
        await expect(files.publish(await stage('other'), 'f/x')).rejects.toEqual(code('ChecksumMismatch'));
        expect(await contents('f/x')).toBe('first');
      });

      it('refuses staged bytes that were changed after they were recorded, and publishes nothing', async () => {
        const staged = await stage('rows');
        await store.overwrite(staged.path, 'rowz');
        await expect(files.publish(staged, 'f/x')).rejects.toEqual(code('ChecksumMismatch'));
        expect(await files.stat('f/x')).toBeUndefined();
        expect(await store.names('f')).toEqual([]);
      });

      it('succeeds for everyone when many publish the same bytes at once', async () => {
        const staged = await stage('rows'.repeat(100_000));
        const results = await Promise.all(
          Array.from({ length: 12 }, () => store.open().publish(staged, 'f/v/x')),
        );
        expect(results).toContain('created');
        expect(await files.checksum('f/v/x')).toBe(staged.sha256);
        expect(await store.names('f/v')).toEqual(['x']);
      });

      it('lets exactly one of different bytes win, whole', async () => {
        const staged = await Promise.all(['a', 'b', 'c', 'd'].map((letter) => stage(letter.repeat(300_000))));
        const results = await Promise.allSettled(staged.map((file) => store.open().publish(file, 'f/x')));
        const won = results.flatMap((result, i) => (result.status === 'fulfilled' ? [staged[i]] : []));
        expect(won).toHaveLength(1);
        expect(await files.checksum('f/x')).toBe(won[0]?.sha256);
        for (const result of results)
          if (result.status === 'rejected') expect(result.reason).toEqual(code('ChecksumMismatch'));
      });
    });

    describe('reading', () => {
      it('tells a missing file', async () => {
        expect(await files.stat('none')).toBeUndefined();
        expect(await files.readText('none')).toBeUndefined();
        expect(await files.readText('none/none')).toBeUndefined();
        await expect(files.localPath('none')).rejects.toEqual(code('SourceMissing'));
        await expect(files.checksum('none')).rejects.toEqual(code('SourceMissing'));
        await files.publish(await stage('x'), 'f/x');
        expect(await files.stat('f')).toBeUndefined();
      });

      it('verifies the bytes that it hands out', async () => {
        await files.publish(await stage('good'), 'f/x');
        expect(await readFile(await files.localPath('f/x', { sha256: sha('good') }), 'utf8')).toBe('good');
        await store.overwrite('f/x', 'evil');
        await expect(files.localPath('f/x', { sha256: sha('good') })).rejects.toEqual(
          code('ChecksumMismatch'),
        );
      });

      it('sees at once that a file was replaced by one of the same size', async () => {
        const seen = new Set<string>();
        for (const text of ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee', 'ffff']) {
          await store.overwrite('f/x', text);
          expect(await files.checksum('f/x')).toBe(sha(text));
          expect(await files.readText('f/x')).toBe(text);
          const { bytes, identity } = (await files.stat('f/x')) ?? { bytes: -1, identity: '' };
          expect(bytes).toBe(4);
          seen.add(identity);
          // Longer than a tick of the file system's clock, which is all that an identity can tell apart.
          await sleep(20);
        }
        expect(seen.size).toBe(6);
      });

      it('lists a folder, a file, and what a glob matches', async () => {
        const paths = ['a/1.csv', 'a/2.parquet', 'a/b/3.csv', 'a/b/c/4.csv', 'ab/5.csv', 'a(1)/6+.csv'];
        for (const path of paths) await store.overwrite(path, path);
        const list = async (pattern: string): Promise<string> => (await files.list(pattern)).join(' ');
        expect(await list('')).toBe([...paths].sort().join(' '));
        expect(await list('a')).toBe('a/1.csv a/2.parquet a/b/3.csv a/b/c/4.csv');
        expect(await list('a/')).toBe('a/1.csv a/2.parquet a/b/3.csv a/b/c/4.csv');
        expect(await list('a/b/3.csv')).toBe('a/b/3.csv');
        expect(await list('none')).toBe('');
        expect(await list('a/*.csv')).toBe('a/1.csv');
        expect(await list('a/*')).toBe('a/1.csv a/2.parquet');
        expect(await list('a/**/*.csv')).toBe('a/1.csv a/b/3.csv a/b/c/4.csv');
        expect(await list('**/*.csv')).toBe('a(1)/6+.csv a/1.csv a/b/3.csv a/b/c/4.csv ab/5.csv');
        expect(await list('a*/*.csv')).toBe('a(1)/6+.csv a/1.csv ab/5.csv');
        expect(await list('a/**')).toBe('a/1.csv a/2.parquet a/b/3.csv a/b/c/4.csv');
        expect(await list('a(1)/6+*')).toBe('a(1)/6+.csv');
        expect(await list('a/?.csv')).toBe('');
      });
    });

    latestConformance(() => ({ store, files, stage }));
    updateConformance(() => ({ store, files }));
  });
}
