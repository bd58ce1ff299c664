import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3 } from '@aws-sdk/client-s3';
import { s3FileProvider, type S3FileProviderOptions } from '../../providers/files/s3/provider.js';
import type { FileProvider } from '../../providers/files/provider.js';

/** The bucket of the services that tests run against. */
export const BUCKET = 'granary';

/** The address of the S3 server. Keys and region come from the environment, as for any program. */
export function s3Endpoint(): string {
  const endpoint = process.env['S3_ENDPOINT'];
  if (endpoint === undefined || endpoint === '')
    throw new Error('S3_ENDPOINT is not set: run the tests by npm test');
  return endpoint;
}

/** A place in the bucket of a test's own, with a client that goes around the provider. */
export interface S3World extends AsyncDisposable {
  readonly client: S3;
  readonly prefix: string;
  /** The folder of the cache; removed at the end, as all objects are. */
  readonly cacheFolder: string;
  open(options?: Partial<S3FileProviderOptions>): FileProvider;
  put(path: string, bytes: string | Uint8Array): Promise<void>;
  text(path: string): Promise<string | undefined>;
  /** Every path below a folder, relative to the store. */
  paths(folder?: string): Promise<string[]>;
  /** Names directly in a folder. */
  names(folder: string): Promise<string[]>;
  /** Keys of the multipart uploads under way. */
  uploads(): Promise<string[]>;
}

export function createS3World(): S3World {
  const client = new S3({ endpoint: s3Endpoint(), forcePathStyle: true });
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const cacheFolder = mkdtempSync(join(tmpdir(), 'granary-s3-cache-'));
  const opened: FileProvider[] = [];
  const key = (path: string): { Bucket: string; Key: string } => ({
    Bucket: BUCKET,
    Key: `${prefix}/${path}`,
  });
  const paths = async (folder = ''): Promise<string[]> => {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const page = await client.listObjectsV2({
        Bucket: BUCKET,
        Prefix: key(folder === '' ? '' : `${folder}/`).Key,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      for (const { Key = '' } of page.Contents ?? []) found.push(Key.slice(prefix.length + 1));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found.sort();
  };
  return {
    client,
    prefix,
    cacheFolder,
    open(options = {}) {
      const provider = s3FileProvider({
        bucket: BUCKET,
        prefix,
        endpoint: s3Endpoint(),
        cache: { folder: cacheFolder, maxBytes: 2 ** 30 },
        ...options,
      });
      opened.push(provider);
      return provider;
    },
    async put(path, bytes) {
      await client.putObject({ ...key(path), Body: Buffer.from(bytes as string) });
    },
    async text(path) {
      return (await client.getObject(key(path))).Body?.transformToString();
    },
    paths,
    async names(folder) {
      const below = (await paths(folder)).map((path) => path.slice(folder.length + 1).split('/')[0] ?? '');
      return [...new Set(below)].sort();
    },
    async uploads() {
      const { Uploads } = await client.listMultipartUploads({ Bucket: BUCKET, Prefix: key('').Key });
      return (Uploads ?? []).map(({ Key = '' }) => Key.slice(prefix.length + 1)).sort();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((provider) => provider.close()));
      const Objects = (await paths()).map((path) => ({ Key: key(path).Key }));
      for (let i = 0; i < Objects.length; i += 1000)
        await client.deleteObjects({ Bucket: BUCKET, Delete: { Objects: Objects.slice(i, i + 1000) } });
      client.destroy();
      rmSync(cacheFolder, { recursive: true, force: true });
    },
  };
}
