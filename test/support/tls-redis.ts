import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';

const run = promisify(execFile);

/** A Redis or Valkey that takes TLS alone and asks for a password, with a certificate of an authority that nobody knows. */
export interface TlsRedis extends AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  /** The authority's certificate, and that of another one. */
  readonly ca: string;
  readonly otherCa: string;
  /** `CONFIG SET requirepass`, and every connection that stands is cut. */
  rotate(from: string, to: string): Promise<void>;
}

/** Starts one for `localhost`; undefined where no server with TLS, or no openssl, is at hand. */
export async function startTlsRedis(password: string): Promise<TlsRedis | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'granary-tls-'));
  const at = (name: string): string => join(folder, name);
  const drop = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    for (const name of ['ca', 'other'])
      await run('openssl', [
        ...['req', '-x509', ...newKey, '-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)],
        ...['-days', '2', '-subj', `/CN=${name} of a test`],
      ]);
    await run('openssl', [
      'req',
      ...newKey,
      '-keyout',
      at('s.key'),
      '-out',
      at('s.csr'),
      '-subj',
      '/CN=localhost',
    ]);
    await writeFile(at('names'), 'subjectAltName=DNS:localhost\n');
    await run('openssl', [
      ...['x509', '-req', '-in', at('s.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial'],
      ...['-out', at('s.crt'), '-days', '2', '-extfile', at('names')],
    ]);
  } catch {
    await drop();
    return undefined;
  }
  const port = await freePort();
  for (const program of await programs()) {
    const server = spawn(program, [
      ...['--port', '0', '--tls-port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder],
      ...['--tls-cert-file', at('s.crt'), '--tls-key-file', at('s.key'), '--tls-ca-cert-file', at('ca.crt')],
      ...['--tls-auth-clients', 'no', '--requirepass', password],
    ]);
    const ended = new Promise<false>((resolve) => {
      server.once('error', () => resolve(false));
      server.once('close', () => resolve(false));
    });
    const ready = new Promise<true>((resolve) => {
      let said = '';
      server.stdout.on('data', (data: Buffer) => {
        said += data.toString();
        if (/ready to accept connections/i.test(said)) resolve(true);
      });
    });
    if (!(await Promise.race([ready, ended]))) continue;
    return {
      folder,
      port,
      ca: at('ca.crt'),
      otherCa: at('other.crt'),
      async rotate(from, to) {
        const { Redis } = await import('ioredis');
        const { readFileSync } = await import('node:fs');
        const admin = new Redis({
          port,
          host: 'localhost',
          password: from,
          tls: { ca: readFileSync(at('ca.crt')) },
        });
        await admin.config('SET', 'requirepass', to);
        await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        admin.disconnect();
      },
      async [Symbol.asyncDispose]() {
        server.kill();
        await ended;
        await drop();
      },
    };
  }
  await drop();
  return undefined;
}

/** Servers that may be built with TLS: those of the system, and the one that `npm run services` keeps. */
async function programs(): Promise<string[]> {
  const kept = await readdir('.granary/bin').catch(() => []);
  return [
    ...kept.filter((name) => /^(valkey|redis)-server/.test(name)).map((name) => join('.granary/bin', name)),
    'valkey-server',
    'redis-server',
  ];
}
