import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { defineProject, fromFile, redisStore, type Binding } from '../../definitions/index.js';
import { openProject } from '../../providers/bind.js';
import type { OnlineProvider } from '../../providers/online/provider.js';
import { startTlsRedis } from '../support/tls-redis.js';
import { readValue, userView, writeRows } from './online-rows.js';

const server = await startTlsRedis('first-s3cret');
afterAll(() => server?.[Symbol.asyncDispose]());
const { ca = '', otherCa = '', port = 0, folder = '' } = server ?? {};

/** The provider as a worker has it, from its binding. */
function bound(online: Binding): OnlineProvider {
  const environment = { registry: { url: 'postgres://nobody@127.0.0.1:1/none' }, bind: { online } };
  const project = defineProject({ name: 'tls', resources: [], environments: { dev: environment } });
  return openProject(project, 'dev').providers.online('online');
}

/** A file of this test's own, with these words. */
async function file(name: string, words: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, words);
  return path;
}

const skipped = it.skipIf(server === undefined);
const password = fromFile(join(folder, 'password'));
if (server) await file('password', 'first-s3cret');

skipped('writes and reads over TLS with a password, trusting an authority of its own', async () => {
  const byParts = bound(redisStore({ host: 'localhost', port, tls: true, password, ca: fromFile(ca) }));
  const url = fromFile(await file('url', `rediss://:first-s3cret@localhost:${port}/0`));
  const byUrl = bound(redisStore({ url, ca: fromFile(ca) }));
  const view = userView();
  for (const [event, provider] of [byParts, byUrl].entries()) {
    await provider.check();
    expect(provider.description).toBe(`redis at rediss://localhost:${port}/0`);
    expect(await writeRows(provider, view, 1, [{ event, value: BigInt(event) }])).toBe('1w 0o 0u');
    expect(await readValue(provider, view)).toBe(BigInt(event));
    await provider.close();
  }
});

skipped(
  'says what to do about a certificate that is not trusted, within seconds and without the password',
  async () => {
    const cases: [string, Binding][] = [
      ['an authority that nobody knows', redisStore({ host: 'localhost', port, tls: true, password })],
      [
        'that of another authority',
        redisStore({ host: 'localhost', port, tls: true, password, ca: fromFile(otherCa) }),
      ],
      [
        'that of another name',
        redisStore({ host: '127.0.0.1', port, tls: true, password, ca: fromFile(ca) }),
      ],
    ];
    for (const [what, binding] of cases) {
      const provider = bound(binding);
      const error: unknown = await provider.check().catch((e: unknown) => e);
      expect(error, what).toMatchObject({
        code: 'ConfigurationMissing',
        message: expect.stringMatching(
          /certificate is not trusted .*ca: fromFile\(.*NODE_EXTRA_CA_CERTS/,
        ) as string,
      });
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/s3cret/);
      await provider.close();
    }
    const absent = redisStore({
      host: 'localhost',
      port,
      tls: true,
      ca: fromFile(join(folder, 'nowhere.pem')),
    });
    expect(() => bound(absent)).toThrow(
      /certificate authority of the online store "online" is not set: the file .*nowhere/,
    );
  },
  20_000,
);

skipped(
  'goes on by itself when the password is rotated, and when the authority is',
  async () => {
    const trusted = await file('trusted.crt', '');
    await copyFile(ca, trusted);
    const provider = bound(
      redisStore({ host: 'localhost', port, tls: true, password, ca: fromFile(trusted) }),
    );
    const view = userView();
    await writeRows(provider, view, 1, [{ event: 0, value: 1n }]);
    // Reads have a connection of their own.
    expect(await readValue(provider, view)).toBe(1n);
    await file('password', 'second-s3cret');
    await server?.rotate('first-s3cret', 'second-s3cret');
    expect(await readValue(provider, view)).toBe(1n);
    expect(await writeRows(provider, view, 1, [{ event: 1, value: 2n }])).toBe('1w 0o 0u');

    await copyFile(otherCa, trusted);
    await file('password', 'third-s3cret');
    await server?.rotate('second-s3cret', 'third-s3cret');
    await expect(writeRows(provider, view, 1, [{ event: 2, value: 3n }])).rejects.toMatchObject({
      code: 'ConfigurationMissing',
    });
    await expect(readValue(provider, view)).rejects.toMatchObject({ code: 'ConfigurationMissing' });
    await copyFile(ca, trusted);
    await expect
      .poll(() => writeRows(provider, view, 1, [{ event: 2, value: 3n }]).catch(() => 'refused'), {
        timeout: 10_000,
      })
      .toBe('1w 0o 0u');
    expect(await readValue(provider, view)).toBe(3n);
    await provider.close();
  },
  30_000,
);

it('refuses a ca that cannot be meant', () => {
  const text = 'PEM' as unknown as ReturnType<typeof fromFile>;
  expect(() => redisStore({ host: 'h', tls: true, ca: text })).toThrow(
    /ca is where the certificates are read from/,
  );
  for (const plain of [{ host: 'h' }, { host: 'h', tls: false }, { url: 'redis://h' }])
    expect(() => redisStore({ ...plain, ca: fromFile('/x') })).toThrow(/ca is for TLS.*rediss:/);
});
