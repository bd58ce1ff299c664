import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { S3 } from '@aws-sdk/client-s3';
import { fromEnv, localFiles, s3, type Binding } from 'granary';
import { fsCode } from '../../providers/files/file-errors.js';
import { s3Endpoint } from './s3.js';

/** A store of files as any reader sees it, without the provider that wrote it. */
export interface Lake extends AsyncDisposable {
  /**
   * A file's bytes; undefined when it is not there.
   * @throws Unanswered when the store says neither.
   */
  read(path: string): Promise<Buffer | undefined>;
  /** Every path in a folder and below, sorted. */
  list(folder: string): Promise<string[]>;
}

/** A server that is away says nothing of what is in it. */
export class Unanswered extends Error {}

/** What a lake's address binds to: a folder, or `s3://bucket/prefix`. */
export function lakeBinding(address: string): Binding {
  const place = s3Place(address);
  return place ? s3({ ...place, endpoint: fromEnv('S3_ENDPOINT') }) : localFiles(address);
}

export function openLake(address: string): Lake {
  const place = s3Place(address);
  return place ? bucketLake(place) : folderLake(address);
}

function s3Place(address: string): { readonly bucket: string; readonly prefix: string } | undefined {
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/(.+)$/.exec(address) ?? [];
  return bucket === undefined || prefix === undefined ? undefined : { bucket, prefix };
}

const ifThere = (error: unknown): undefined => {
  if (fsCode(error) === 'ENOENT') return undefined;
  throw error;
};

const folderLake = (root: string): Lake => ({
  read: (path) => readFile(join(root, path)).catch(ifThere),
  async list(folder) {
    // Before anything is written there is no folder, as there is no bucket's prefix.
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(
      ifThere,
    );
    return (entries ?? [])
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .sort();
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

function bucketLake({ bucket, prefix }: { readonly bucket: string; readonly prefix: string }): Lake {
  const client = new S3({ endpoint: s3Endpoint(), forcePathStyle: true, maxAttempts: 1 });
  return {
    async read(path) {
      try {
        const { Body } = await client.getObject({ Bucket: bucket, Key: `${prefix}/${path}` });
        return Body && Buffer.from(await Body.transformToByteArray());
      } catch (error) {
        if ((error as Error).name === 'NoSuchKey') return undefined;
        throw new Unanswered('the store does not answer', { cause: error });
      }
    },
    async list(folder) {
      const { Contents, IsTruncated } = await client.listObjectsV2({
        Bucket: bucket,
        Prefix: `${prefix}/${folder}/`,
      });
      if (IsTruncated) throw new Error(`${folder} has more objects than a test expects`);
      return (Contents ?? []).map(({ Key = '' }) => Key.slice(prefix.length + 1)).sort();
    },
    [Symbol.asyncDispose]: () => {
      client.destroy();
      return Promise.resolve();
    },
  };
}
