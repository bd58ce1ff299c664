import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileHold } from '../../providers/files/file-hold.js';
import type { FileProvider } from '../../providers/files/provider.js';
import { cacheOptions } from '../../providers/files/s3/settings.js';
import { createS3World, s3Endpoint, type S3World } from '../support/s3.js';
import { s3Proxy, type S3Proxy } from '../support/s3-proxy.js';
import { sha } from './file-store.js';

let world: S3World;
let proxy: S3Proxy;
beforeEach(async () => {
  world = createS3World();
  proxy = await s3Proxy(s3Endpoint());
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

let bounds = 10_000;
/** A provider as another process would have one: nothing in memory is shared, for another bound is another cache on the folder. */
const open = (maxBytes = ++bounds): FileProvider =>
  world.open({ endpoint: proxy.url, cache: { folder: world.cacheFolder, maxBytes } });
const gets = (): number =>
  proxy.requests.filter((each) => each.startsWith('GET') && !each.includes('/.check-')).length;
const copies = async (): Promise<string[]> => (await readdir(join(world.cacheFolder, 'files'))).sort();
const text = (letter: string): string => letter.repeat(400);
async function put(...letters: readonly string[]): Promise<void> {
  for (const letter of letters) await world.put(`f/${letter}`, text(letter));
}
/** Reads a file as a step does, and lets go of it. */
async function read(files: FileProvider, path: string): Promise<string> {
  await using hold = new FileHold();
  return await readFile(await hold.run(() => files.localPath(path)), 'utf8');
}

describe('the cache of S3 objects', () => {
  it('downloads an object once, for all who ask at once, later, in another process or under another name', async () => {
    await put('a');
    await world.put('g/again', text('a'));
    const files = open();
    const paths = await Promise.all(Array.from({ length: 8 }, () => files.localPath('f/a')));
    expect(gets()).toBe(1);
    for (const path of paths) expect(await readFile(path, 'utf8')).toBe(text('a'));
    expect(await read(open(), 'f/a')).toBe(text('a'));
    expect(await open().checksum('f/a')).toBe(sha(text('a')));
    expect(gets()).toBe(1);
    await read(files, 'g/again');
    expect(await copies()).toEqual([sha(text('a'))]);
  });

  it('keeps what was staged, so that publishing downloads nothing', async () => {
    const files = open();
    const local = join(world.cacheFolder, 'made');
    await writeFile(local, text('a'));
    await files.publish(await files.stage(local, '_staging/1/a'), 'f/a');
    expect(await read(files, 'f/a')).toBe(text('a'));
    expect(gets()).toBe(0);
  });

  it('goes on for the others when one of those who wait gives up', async () => {
    await world.put('f/big', Buffer.alloc(4_000_000, 7));
    const files = open(10_000_000);
    const stop = new AbortController();
    const release = proxy.holdAnswersTo(/^GET .*\/f\/big/);
    const both = [files.localPath('f/big', { signal: stop.signal }), files.localPath('f/big')] as const;
    await expect.poll(gets, { timeout: 30_000 }).toBe(1);
    stop.abort();
    await expect(both[0]).rejects.toThrow(/abort/i);
    release();
    expect((await stat(await both[1])).size).toBe(4_000_000);
    expect(gets()).toBe(1);
  });

  it('keeps to its bound: what was not used for longest goes first', async () => {
    await put('a', 'b', 'c', 'd');
    const files = open(1300);
    for (const letter of ['a', 'b', 'c', 'a', 'd']) {
      expect(await read(files, `f/${letter}`)).toBe(text(letter));
      await sleep(20); // longer than a tick of the file system's clock
    }
    expect(await copies()).toEqual(['a', 'c', 'd'].map((letter) => sha(text(letter))).sort());
    expect(gets()).toBe(4);
    expect(await read(files, 'f/b')).toBe(text('b'));
    expect(gets()).toBe(5);
  });

  it('never evicts what is in use, by this process or another, and says so when that leaves no room', async () => {
    await put('a', 'b', 'c', 'd');
    const [files, other] = [open(1000), open(1001)];
    const hold = new FileHold();
    const a = await hold.run(() => files.localPath('f/a'));
    const b = await other.localPath('f/b'); // held until it closes
    const full = hold.run(() => files.localPath('f/c'));
    await expect(full).rejects.toMatchObject({
      code: 'ResourcesExhausted',
      message: expect.stringMatching(
        new RegExp(`${world.cacheFolder}.*/f/c .*GRANARY_CACHE_BYTES`),
      ) as string,
    });
    // A checksum needs no room.
    expect(await files.checksum('f/c')).toBe(sha(text('c')));
    expect(await readFile(a, 'utf8')).toBe(text('a'));
    expect(await readFile(b, 'utf8')).toBe(text('b'));
    await hold[Symbol.asyncDispose]();
    await expect(stat(a)).rejects.toThrow('ENOENT');
    expect(await read(files, 'f/c')).toBe(text('c'));
    expect(await copies()).toEqual([sha(text('b')), sha(text('c'))].sort());
    await other.close();
    expect(await read(files, 'f/d')).toBe(text('d'));
    expect(await read(files, 'f/a')).toBe(text('a'));
  });

  it.each(['in this process', 'in another one'])(
    'notices a damaged copy, %s, and downloads it again',
    async (who) => {
      await put('a');
      const files = open();
      await read(files, 'f/a');
      await writeFile(join(world.cacheFolder, 'files', sha(text('a'))), text('x'));
      expect(await read(who === 'in this process' ? files : open(), 'f/a')).toBe(text('a'));
      expect(gets()).toBe(2);
    },
  );

  it('reads again what it knows by a note that a power cut left torn', async () => {
    await put('a');
    await read(open(), 'f/a');
    const notes = join(world.cacheFolder, 'objects');
    for (const name of await readdir(notes)) await writeFile(join(notes, name), sha(text('x')).slice(0, 40));
    expect(await open().checksum('f/a')).toBe(sha(text('a')));
    expect(gets()).toBe(2);
  });

  it('removes what a killed process left, and leaves alone what live ones have', async () => {
    await put('a');
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    const processes = join(world.cacheFolder, 'processes');
    const host = hostname().replaceAll(/[^\w.-]/g, '_');
    const folder = async (name: string): Promise<void> => {
      await mkdir(join(processes, name), { recursive: true });
      await writeFile(join(processes, name, 'x.partial'), 'half');
    };
    await folder(`${host}@${child.pid}-dead`);
    await folder(`${host}@${process.ppid}-alive`);
    await folder(`elsewhere@${child.pid}-alive`);
    await read(open(), 'f/a');
    const left = (await readdir(processes)).filter((name) => !name.startsWith(`${host}@${process.pid}-`));
    expect(left.sort()).toEqual([`elsewhere@${child.pid}-alive`, `${host}@${process.ppid}-alive`].sort());
  });

  it('keeps the end of a name, by which engines know a compressed file', async () => {
    await put('table.csv.gz');
    expect(await open().localPath('f/table.csv.gz')).toMatch(/table\.csv\.gz$/);
  });

  it('makes its folder anew when somebody removed it before the first use', async () => {
    await put('a');
    await rm(world.cacheFolder, { recursive: true });
    expect(await read(open(), 'f/a')).toBe(text('a'));
  });
});

describe('where copies of S3 objects are kept', () => {
  it('is what the binding says, else the variables, else 10 GiB in a folder of this user', () => {
    expect(cacheOptions({ folder: '/c', maxBytes: 5 }, { GRANARY_CACHE_FOLDER: '/d' })).toEqual({
      folder: '/c',
      maxBytes: 5,
    });
    const env = { GRANARY_CACHE_FOLDER: '/d', GRANARY_CACHE_BYTES: '7' };
    expect(cacheOptions(undefined, env)).toEqual({ folder: '/d', maxBytes: 7 });
    expect(cacheOptions(undefined, {})).toMatchObject({ maxBytes: 10 * 2 ** 30, isPrivate: true });
    expect(() => cacheOptions(undefined, { GRANARY_CACHE_BYTES: '10 GB' })).toThrow(
      /GRANARY_CACHE_BYTES is "10 GB"/,
    );
  });
});
