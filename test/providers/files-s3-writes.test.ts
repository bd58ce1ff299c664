import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileProvider, LatestPointer, StoredFile } from '../../providers/files/provider.js';
import { BUCKET, createS3World, s3Endpoint, type S3World } from '../support/s3.js';
import { s3Proxy } from '../support/s3-proxy.js';
import { sha } from './file-store.js';

const MIB = 2 ** 20;
const PART = 8 * MIB;
const patient = { timeout: 30_000 };
const scratch = mkdtempSync(join(tmpdir(), 'granary-s3-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let world: S3World;
let files: FileProvider;
beforeEach(() => {
  world = createS3World();
  files = world.open();
});
afterEach(() => world[Symbol.asyncDispose]());

async function local(bytes: string | Buffer): Promise<string> {
  const path = join(scratch, randomBytes(8).toString('hex'));
  await writeFile(path, bytes);
  return path;
}
const stage = async (bytes: string | Buffer, path = `_staging/run/1/${randomBytes(4).toString('hex')}`) =>
  files.stage(await local(bytes), path);
const key = (path: string) => ({ Bucket: BUCKET, Key: `${world.prefix}/${path}` });
const startUpload = (path: string) => world.client.createMultipartUpload(key(path));

describe('a large file in S3', () => {
  const bytes = randomBytes(20 * MIB + 7);
  const sha256 = createHash('sha256').update(bytes).digest('hex');

  it('is staged by parts and published whole, its checksum beside it, and leaves no parts behind', async () => {
    const staged = await stage(bytes);
    expect(staged).toMatchObject({ bytes: bytes.length, sha256 });
    expect((await world.client.headObject(key(staged.path))).ETag).toMatch(/-3"$/);
    expect(await files.publish(staged, 'f/big')).toBe('created');
    const { Metadata, ContentLength } = await world.client.headObject(key('f/big'));
    expect(Metadata).toMatchObject({ 'granary-sha256': sha256 });
    expect(ContentLength).toBe(bytes.length);
    const read = await world.client.getObject(key('f/big'));
    expect(Buffer.from((await read.Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
    expect(await world.uploads()).toEqual([]);
  });

  it('is published once, whole, when ten publish it at once', async () => {
    const staged = await stage(bytes.subarray(0, 9 * MIB));
    const results = await Promise.all(
      Array.from({ length: 10 }, () => world.open().publish(staged, 'f/big')),
    );
    expect(results.filter((result) => result === 'created')).toHaveLength(1);
    expect(await world.open().checksum('f/big')).toBe(staged.sha256);
    expect(await world.uploads()).toEqual([]);
  });

  it('leaves neither object nor parts when its upload is cancelled in the middle, and the local file stays', async () => {
    await using proxy = await s3Proxy(s3Endpoint());
    const slow = world.open({ endpoint: proxy.url });
    const path = await local(bytes);
    const stop = new AbortController();
    proxy.holdAfter(10 * MIB);
    const staging = slow.stage(path, '_staging/run/1/big', { signal: stop.signal });
    staging.catch(() => undefined);
    await expect.poll(() => world.uploads(), patient).toEqual(['_staging/run/1/big']);
    await expect
      .poll(() => proxy.requests.filter((each) => each.startsWith('PUT')).length, patient)
      .toBeGreaterThan(1);
    proxy.holdAfter(Infinity);
    stop.abort();
    await expect(staging).rejects.toThrow(/abort/i);
    expect(await world.uploads()).toEqual([]);
    expect(await world.paths()).toEqual([]);
    await access(path);
  });

  it('leaves neither object nor parts when its bytes are not those that were recorded', async () => {
    const staged = await stage(bytes);
    const changed = Buffer.from(bytes);
    changed[15 * MIB] = (changed[15 * MIB] ?? 0) ^ 1;
    await world.put(staged.path, changed);
    await expect(files.publish(staged, 'f/big')).rejects.toMatchObject({ code: 'ChecksumMismatch' });
    expect(await files.stat('f/big')).toBeUndefined();
    expect(await world.uploads()).toEqual([]);
  });

  it('is uploaded and read through connections that break', async () => {
    await using proxy = await s3Proxy(s3Endpoint());
    const shaky = world.open({
      endpoint: proxy.url,
      silenceMs: 4000,
      cache: { folder: join(world.cacheFolder, 'shaky'), maxBytes: 100 * MIB },
    });
    await world.put('f/big', bytes);
    proxy.cutAfter(7 * MIB);
    expect(await shaky.checksum('f/big')).toBe(sha256);
    expect(proxy.requests.filter((each) => each.startsWith('GET'))).toHaveLength(2);
    proxy.holdAfter(4 * MIB);
    const staging = shaky.stage(await local(bytes), '_staging/1/big');
    await expect
      .poll(() => proxy.requests.filter((each) => each.startsWith('PUT')).length, patient)
      .toBeGreaterThan(2);
    proxy.holdAfter(Infinity);
    expect(await staging).toMatchObject({ sha256 });
  });

  it('is the one of a single publisher, whole, when four publish different bytes at once', async () => {
    const staged = await Promise.all([1, 2, 3, 4].map((fill) => stage(Buffer.alloc(9 * MIB, fill))));
    for (let round = 0; round < 3; round++) {
      const path = `f/${round}`;
      const results = await Promise.allSettled(staged.map((file) => world.open().publish(file, path)));
      const won = results.flatMap((result, i) => (result.status === 'fulfilled' ? [staged[i]?.sha256] : []));
      expect(won).toEqual([await world.open().checksum(path)]);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ChecksumMismatch' });
    }
  });

  it.each([
    ['small', 1000],
    ['large', 9 * MIB],
  ])(
    'is staged, published and shown, be it %s, though the answers to its writes were lost',
    async (_, size) => {
      await using proxy = await s3Proxy(s3Endpoint());
      const shaky = world.open({ endpoint: proxy.url });
      const rows = bytes.subarray(0, size);
      proxy.loseAnswerTo(size < PART ? /^PUT .*_staging/ : /^POST .*_staging.*uploadId=/);
      const staged = await shaky.stage(await local(rows), '_staging/1/x');
      expect(proxy.lost()).toBe(1);
      proxy.loseAnswerTo(/^PUT .*v_1\/x/);
      expect(await shaky.publish(staged, 'f/v_1/x')).toBe('present');
      expect(proxy.lost()).toBe(2);
      proxy.loseAnswerTo(/^PUT .*latest\/x/);
      const interval = { start: '1', end: '2' };
      const pointer = { version: 'v_1', interval, generation: 1, files: [{ ...staged, path: 'x' }] };
      expect(await shaky.pointLatest('f', pointer, async () => Promise.resolve(true))).toBe('moved');
      expect(proxy.lost()).toBe(3);
      for (const path of [staged.path, 'f/v_1/x', 'f/latest/x'])
        expect(await world.open().checksum(path)).toBe(staged.sha256);
      expect(await world.uploads()).toEqual([]);
    },
  );

  it('is published from S3 itself where this machine has no copy', async () => {
    const staged = await stage(bytes);
    const elsewhere = world.open({ cache: { folder: join(world.cacheFolder, 'elsewhere'), maxBytes: MIB } });
    expect(await elsewhere.publish(staged, 'f/big')).toBe('created');
    expect(await files.checksum('f/big')).toBe(sha256);
  });

  it('has its parts that a killed uploader left removed with its staging folder', async () => {
    await startUpload('_staging/run/1/a');
    await startUpload('_staging/run/10/b');
    await files.removeStaging('_staging/run/1');
    expect(await world.uploads()).toEqual(['_staging/run/10/b']);
    await files.removeStaging('_staging/run/10');
    expect(await world.uploads()).toEqual([]);
  });
});

describe('a folder in S3', () => {
  it('is listed and removed whole, however many objects are in it', async () => {
    const names = Array.from({ length: 1203 }, (_, i) => `_staging/run/1/${String(i).padStart(4, '0')}`);
    for (let i = 0; i < names.length; i += 50)
      await Promise.all(names.slice(i, i + 50).map((name) => world.put(name, '')));
    expect(await files.list('_staging/run/1')).toEqual(names);
    expect(await files.list('_staging/run/1/*')).toEqual(names);
    await files.removeStaging('_staging/run/1');
    expect(await world.paths()).toEqual([]);
  });

  it('may hold marks of empty folders: they are not listed', async () => {
    for (const path of ['raw/', 'raw/a.csv', 'raw/deep/', 'raw/deep/c.csv']) await world.put(path, '');
    expect(await files.list('raw')).toEqual(['raw/a.csv', 'raw/deep/c.csv']);
    expect(await files.list('raw/**/*.csv')).toEqual(['raw/a.csv', 'raw/deep/c.csv']);
  });
});

describe('latest in S3', () => {
  const NAMES = ['features.parquet', 'features.csv', 'schema.json', 'metadata.json'] as const;
  const yes = async (): Promise<boolean> => Promise.resolve(true);
  /** A version of four files; equal `rows` are equal bytes. */
  async function version(day: number, rows: string): Promise<LatestPointer> {
    const name = `v_${day}`;
    const made = await Promise.all(
      NAMES.map(async (file): Promise<StoredFile> => {
        const text =
          file === 'schema.json' ? '{}' : file === 'metadata.json' ? `{"day":${day}}` : `${file} ${rows}`;
        const staged = await stage(text);
        await files.publish(staged, `f/${name}/${file}`);
        return { ...staged, path: file };
      }),
    );
    return { version: name, interval: { start: `${day}`, end: `${day + 1}` }, generation: day, files: made };
  }
  const shown = async (): Promise<Record<string, string | undefined>> => {
    const found: Record<string, string | undefined> = {};
    for (const name of NAMES) found[name] = await world.text(`f/latest/${name}`);
    found['latest.json'] = (JSON.parse((await world.text('f/latest.json')) ?? '') as LatestPointer).version;
    return found;
  };
  const of = (day: number, rows: string): Record<string, string> => ({
    'features.parquet': `features.parquet ${rows}`,
    'features.csv': `features.csv ${rows}`,
    'schema.json': '{}',
    'metadata.json': `{"day":${day}}`,
    'latest.json': `v_${day}`,
  });

  /** A writer of a version that sleeps after the answer to its nth question, until `wake`. */
  function sleeper(pointer: LatestPointer, nth: number, newest: () => string) {
    let asked = (): void => {};
    let wake = (): void => {};
    const sleeping = new Promise<void>((resolve) => (asked = resolve));
    const awake = new Promise<void>((resolve) => (wake = resolve));
    let calls = 0;
    const outcome = world.open().pointLatest('f', pointer, async () => {
      const answer = newest() === pointer.version;
      if (++calls === nth) {
        asked();
        await awake;
      }
      return answer;
    });
    return { sleeping, wake, outcome };
  }

  it.each([1, 2, 3, 4, 5, 6, 7])(
    'is the newest version, whole, when an older writer slept after its question %i',
    async (nth) => {
      const [one, two, three] = await Promise.all([version(1, 'a'), version(2, 'b'), version(3, 'c')]);
      await files.pointLatest('f', one, yes);
      let newest = two.version;
      const late = sleeper(two, nth, () => newest);
      await late.sleeping;
      newest = three.version;
      await files.pointLatest('f', three, yes);
      expect(await shown()).toEqual(of(3, 'c'));
      late.wake();
      expect(await late.outcome).toBe(nth === 7 ? 'moved' : 'superseded');
      expect(await shown()).toEqual(of(3, 'c'));
    },
  );

  it.each([1, 2, 3, 4, 5, 6, 7])(
    'is so too when the newest version has the very bytes that the sleeper saw, question %i',
    async (nth) => {
      const [good, bad, again] = [
        await version(1, 'good'),
        await version(2, 'bad'),
        await version(3, 'good'),
      ];
      await files.pointLatest('f', good, yes);
      let newest = bad.version;
      const late = sleeper(bad, nth, () => newest);
      await late.sleeping;
      newest = again.version;
      await files.pointLatest('f', again, yes);
      late.wake();
      expect(await late.outcome).toBe(nth === 7 ? 'moved' : 'superseded');
      expect(await shown()).toEqual(of(3, 'good'));
    },
  );

  it.each([1, 2, 3, 4, 5, 6])(
    'is repaired by a later call when its writer died at question %i',
    async (nth) => {
      const [one, two] = [await version(1, 'a'), await version(2, 'b')];
      await files.pointLatest('f', one, yes);
      let calls = 0;
      const dying = world.open().pointLatest('f', two, async () => {
        if (++calls === nth) throw new Error('killed');
        return Promise.resolve(true);
      });
      await expect(dying).rejects.toThrow('killed');
      expect(await world.open().pointLatest('f', two, yes)).toBe('moved');
      expect(await shown()).toEqual(of(2, 'b'));
      expect(await world.open().pointLatest('f', two, yes)).toBe('unchanged');
    },
  );

  it.each([...NAMES])('is repaired when %s in it was replaced or removed', async (name) => {
    const one = await version(1, 'a');
    await files.pointLatest('f', one, yes);
    const checksums = (await world.text('f/latest.json')) ?? '';
    await world.put(`f/latest/${name}`, 'other');
    expect(checksums).not.toContain(sha('other'));
    expect(await files.pointLatest('f', one, yes)).toBe('moved');
    expect(await shown()).toEqual(of(1, 'a'));
    await world.client.deleteObject(key(`f/latest/${name}`));
    expect(await files.pointLatest('f', one, yes)).toBe('moved');
    expect(await shown()).toEqual(of(1, 'a'));
    expect(await files.pointLatest('f', one, yes)).toBe('unchanged');
  });

  it('says which file of the version is missing', async () => {
    const one = await version(1, 'a');
    await world.client.deleteObject(key('f/v_1/features.csv'));
    await expect(world.open().pointLatest('f', one, yes)).rejects.toMatchObject({
      code: 'SourceMissing',
      message: expect.stringContaining('/f/v_1/features.csv') as string,
    });
  });
});
