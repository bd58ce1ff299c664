import { setTimeout as sleep } from 'node:timers/promises';
import type { S3 } from '@aws-sdk/client-s3';
import { GranaryError } from '../../../definitions/errors.js';
import { storePath } from '../store-path.js';
import { isAbsent, isRefused, isUnexplained, s3Error } from './errors.js';

/** Where a store of files lies in S3. */
export interface S3Place {
  readonly bucket: string;
  readonly prefix?: string | undefined;
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly forcePathStyle?: boolean | undefined;
  /** How long a server may be silent before a request is tried again, twice. Default: ten seconds. */
  readonly silenceMs?: number | undefined;
}

/** What S3 says of an object. */
export interface ObjectHead {
  readonly bytes: number;
  readonly etag: string;
  /** Changes when the object does. */
  readonly identity: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The bytes of the object were replaced while they were read. */
export class ObjectReplaced extends Error {}

/** Breaks of a read that makes no progress in between. */
const READ_ATTEMPTS = 4;

/** The objects of one place, by their paths in the store. Connects at the first use; errors name the place and the remedy. */
export class S3Bucket {
  readonly name: string;
  /** The server in messages and in what tells one store from another. */
  readonly endpoint: string;
  readonly #place: S3Place;
  readonly #prefix: string;
  #client: Promise<S3> | undefined;

  constructor(place: S3Place) {
    this.#place = place;
    this.name = place.bucket;
    this.endpoint = place.endpoint === undefined ? 'S3' : hostOf(place.endpoint);
    this.#prefix = place.prefix === undefined || place.prefix === '' ? '' : `${place.prefix}/`;
  }

  /** The key of a path; of '' the prefix with which all keys begin. */
  key(path: string): string {
    return `${this.#prefix}${storePath(path)}`;
  }

  uri(path: string): string {
    return `s3://${this.name}/${this.key(path)}`.replace(/\/$/, '');
  }

  /** Runs requests about a path; their errors name it. */
  async call<T>(path: string, run: (s3: S3, at: { Bucket: string; Key: string }) => Promise<T>): Promise<T> {
    try {
      return await run(await this.#connected(), { Bucket: this.name, Key: this.key(path) });
    } catch (error) {
      throw this.named(error, path);
    }
  }

  named(error: unknown, path: string): unknown {
    return s3Error(error, { uri: this.uri(path), endpoint: this.endpoint });
  }

  async head(path: string, signal?: AbortSignal): Promise<ObjectHead | undefined> {
    if (storePath(path) === '') return undefined;
    return this.call(path, async (s3, at) => {
      try {
        const found = await s3.headObject(at, until(signal));
        const etag = found.ETag ?? '';
        const bytes = found.ContentLength ?? 0;
        const time = found.LastModified?.getTime() ?? 0;
        const identity = `${etag}-${bytes}-${time}-${found.VersionId ?? ''}`;
        return { bytes, etag, identity, metadata: found.Metadata ?? {} };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        // The answer to a HEAD has no body to say why: another request to the same place has.
        if (isUnexplained(error))
          await s3.listObjectsV2({ Bucket: at.Bucket, Prefix: at.Key, MaxKeys: 1 }, until(signal));
        throw error;
      }
    });
  }

  /** The head as {@link head} gives it, and certain: a HEAD cannot tell a missing object from a missing bucket. */
  async surelyHead(path: string, signal?: AbortSignal): Promise<ObjectHead | undefined> {
    const head = await this.head(path, signal);
    if (!head)
      await this.call(path, (s3, { Bucket, Key }) =>
        s3.listObjectsV2({ Bucket, Prefix: Key, MaxKeys: 1 }, until(signal)),
      );
    return head;
  }

  /** The head of an object that must be there. */
  async mustHead(path: string, signal?: AbortSignal): Promise<ObjectHead> {
    const head = await this.surelyHead(path, signal);
    if (head) return head;
    throw new GranaryError('SourceMissing', `There is no object ${this.uri(path)}.`, {
      details: { path: this.uri(path) },
    });
  }

  /**
   * The bytes of the very object that `head` tells of. A connection that breaks is taken up where it broke.
   * @throws ObjectReplaced when another object has taken its place.
   */
  async *read(path: string, head: ObjectHead, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (let failures = 0; at < head.bytes;) {
      try {
        for await (const chunk of await this.#body(path, head, at, signal)) {
          at += chunk.length;
          failures = 0;
          yield chunk;
        }
        if (at < head.bytes) throw Object.assign(new Error('the body ended early'), { code: 'ECONNRESET' });
      } catch (error) {
        const mapped = this.named(error, path);
        signal?.throwIfAborted();
        const mayPass = mapped instanceof GranaryError && mapped.code === 'ProviderUnreachable';
        if (!mayPass || ++failures === READ_ATTEMPTS) throw mapped;
        await sleep(50 * 2 ** failures * (0.5 + Math.random()), undefined, { signal });
      }
    }
  }

  async #body(
    path: string,
    head: ObjectHead,
    at: number,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Uint8Array>> {
    return this.call(path, async (s3, key) => {
      try {
        const whole = at === 0;
        const { Body } = await s3.getObject(
          {
            ...key,
            IfMatch: head.etag,
            ...(whole ? { ChecksumMode: 'ENABLED' } : { Range: `bytes=${at}-` }),
          },
          until(signal),
        );
        return Body as unknown as AsyncIterable<Uint8Array>;
      } catch (error) {
        if (isRefused(error)) throw new ObjectReplaced();
        throw error;
      }
    });
  }

  /** A small object's text. */
  async text(path: string): Promise<string | undefined> {
    return (await this.whole(path))?.bytes.toString('utf8');
  }

  /** A small object's bytes, and its head. */
  async whole(path: string): Promise<{ readonly bytes: Buffer; readonly head: ObjectHead } | undefined> {
    for (;;) {
      const head = await this.surelyHead(path);
      if (!head) return undefined;
      try {
        const chunks: Uint8Array[] = [];
        for await (const chunk of this.read(path, head)) chunks.push(chunk);
        return { bytes: Buffer.concat(chunks), head };
      } catch (error) {
        if (!(error instanceof ObjectReplaced || isMissing(error))) throw error;
      }
    }
  }

  /** Paths of the objects whose path begins with `start`; only those without a further `/` after it when `flat`. */
  async *paths(start: string, flat: boolean): AsyncGenerator<string> {
    const prefix = `${this.#prefix}${start}`;
    let token: string | undefined;
    do {
      const page = await this.call('', (s3, { Bucket }) =>
        s3.listObjectsV2({
          Bucket,
          ...(prefix === '' ? {} : { Prefix: prefix }),
          ...(flat ? { Delimiter: '/' } : {}),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      );
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key.slice(this.#prefix.length);
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Removes objects, a thousand at most; one that is absent is no error. */
  async remove(paths: readonly string[]): Promise<void> {
    const Objects = paths.map((path) => ({ Key: `${this.#prefix}${path}` }));
    await this.call(paths[0] ?? '', async (s3, { Bucket }) => {
      const { Errors } = await s3.deleteObjects({ Bucket, Delete: { Objects, Quiet: true } });
      const [first] = Errors ?? [];
      if (!first) return;
      const status = first.Code === 'AccessDenied' ? 403 : 500;
      throw Object.assign(new Error(first.Message ?? 'an object could not be removed'), {
        name: first.Code ?? '',
        $metadata: { httpStatusCode: status },
      });
    });
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    (await client?.catch(() => undefined))?.destroy();
  }

  #connected(): Promise<S3> {
    // The SDK is large: who has no store in S3 does not load it.
    this.#client ??= import('@aws-sdk/client-s3').then(({ S3 }) => {
      const { endpoint, forcePathStyle = endpoint !== undefined, silenceMs = 10_000 } = this.#place;
      const known = process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
      const region = this.#place.region ?? (endpoint === undefined ? undefined : (known ?? 'us-east-1'));
      return new S3({
        ...(region === undefined ? {} : { region }),
        ...(endpoint === undefined ? {} : { endpoint }),
        forcePathStyle,
        maxAttempts: 3,
        requestHandler: { connectionTimeout: 3000, socketTimeout: silenceMs },
        responseChecksumValidation: 'WHEN_REQUIRED',
        logger: silent, // what it has to say is thrown as well
      });
    });
    return this.#client;
  }
}

const nothing = (): void => {};
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A request's options that end it with a signal. */
export const until = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } =>
  signal ? { abortSignal: signal } : {};

const isMissing = (error: unknown): boolean =>
  error instanceof GranaryError && error.code === 'SourceMissing';

/** An endpoint's host and port: what a message may show of an address. */
function hostOf(endpoint: string): string {
  try {
    const { protocol, host } = new URL(endpoint);
    if (/^https?:$/.test(protocol)) return host;
  } catch {
    // Reported below.
  }
  throw new GranaryError(
    'ConfigurationMissing',
    'The endpoint of S3 is no address. Set it to a whole one, such as https://s3.example.com.',
  );
}
