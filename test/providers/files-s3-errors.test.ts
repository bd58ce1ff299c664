import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FileProvider } from '../../providers/files/provider.js';
import { createS3World, type S3World } from '../support/s3.js';

let world: S3World;
beforeEach(() => {
  world = createS3World();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await world[Symbol.asyncDispose]();
});

const failure = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

/** All that reads and writes, one by one. */
const uses: Readonly<Record<string, (files: FileProvider) => Promise<unknown>>> = {
  check: (files) => files.check(),
  list: (files) => files.list('f/*.csv'),
  stat: (files) => files.stat('f/x'),
  checksum: (files) => files.checksum('f/x'),
  localPath: (files) => files.localPath('f/x'),
  readText: (files) => files.readText('f/x'),
  removeStaging: (files) => files.removeStaging('_staging/x'),
  publish: (files) => files.publish({ path: '_staging/x', bytes: 1, sha256: 'x' }, 'f/x'),
  pointLatest: (files) =>
    files.pointLatest(
      'f',
      { version: 'v', interval: { start: '', end: '' }, generation: 1, files: [] },
      async () => Promise.resolve(true),
    ),
};

describe('S3 says what is wrong when', () => {
  describe.each(Object.entries(uses))('%s', (_name, use) => {
    it('the key is unknown, or its secret is another one', async () => {
      vi.stubEnv('AWS_ACCESS_KEY_ID', 'unknown');
      await expect(use(world.open())).rejects.toEqual(
        failure(
          'ConfigurationMissing',
          /127\.0\.0\.1:\d+ refuses the credentials for s3:\/\/granary.*(InvalidAccessKeyId|XAdminUserNotFound)/,
        ),
      );
      vi.unstubAllEnvs();
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'guessed-secret');
      const error = await use(world.open()).catch((reason: unknown) => reason);
      expect(error).toEqual(
        failure('ConfigurationMissing', /refuses the credentials for s3:\/\/granary.*SignatureDoesNotMatch/),
      );
      expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('guessed-secret');
    });

    it('there is no bucket', async () => {
      const files = world.open({ bucket: 'no-such-bucket' });
      await expect(use(files)).rejects.toEqual(
        failure('ConfigurationMissing', /no bucket for s3:\/\/no-such-bucket.*Make it/),
      );
    });

    it('there are no credentials', async () => {
      for (const variable of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(variable, undefined);
      vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
      for (const variable of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE'])
        vi.stubEnv(variable, join(world.cacheFolder, 'none'));
      await expect(use(world.open())).rejects.toEqual(
        failure('ConfigurationMissing', /no credentials for s3:\/\/granary.*AWS_ACCESS_KEY_ID/),
      );
    });

    it('nobody listens', async () => {
      const files = world.open({ endpoint: 'http://127.0.0.1:1' });
      await expect(use(files)).rejects.toEqual(
        failure('ProviderUnreachable', /127\.0\.0\.1:1 does not answer for s3:\/\/granary.*ECONNREFUSED/),
      );
    });
  });

  describe('the server', () => {
    let server: Server;
    const listen = async (answer: string): Promise<string> => {
      server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.on('data', () => void (answer === '' ? undefined : socket.end(answer)));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    };
    afterEach(() => void server.close());

    it('takes the connection and is silent', async () => {
      const files = world.open({ endpoint: await listen(''), silenceMs: 200 });
      await expect(files.list('f')).rejects.toEqual(
        failure('ProviderUnreachable', /does not answer .*TimeoutError/),
      );
    });

    it.each([
      [503, 'SlowDown', 'ProviderUnreachable', /does not answer.*SlowDown.*503/],
      [500, 'InternalError', 'ProviderUnreachable', /InternalError/],
      [400, 'RequestTimeout', 'ProviderUnreachable', /RequestTimeout/],
      [400, 'ExpiredToken', 'ConfigurationMissing', /refuses the credentials.*ExpiredToken.*renew/],
      [403, 'AccessDenied', 'ConfigurationMissing', /denies .*permissions of docs\/storage\.md/],
      [301, 'PermanentRedirect', 'ConfigurationMissing', /in another region/],
      [501, 'NotImplemented', 'ConfigurationMissing', /conditional writes/],
      [507, 'XMinioStorageFull', 'ResourcesExhausted', /no space left/],
      [418, 'Teapot', 'Internal', /Teapot 418/],
    ])('answers %i %s', async (status, code, expected, message) => {
      const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>so it says</Message></Error>`;
      const head = `HTTP/1.1 ${status} X\r\nContent-Type: application/xml\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
      const files = world.open({ endpoint: await listen(head + body) });
      // A server that is ill may leave out why where a HEAD is asked for; one that refuses is asked again.
      await expect(files.list(status < 500 ? 'f' : 'f/*')).rejects.toEqual(failure(expected, message));
    });
  });

  it('the endpoint is no address', () => {
    expect(() => world.open({ endpoint: 'localhost:8333' })).toThrow(/endpoint of S3 is no address/);
  });
});
