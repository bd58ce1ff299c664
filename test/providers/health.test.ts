import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkProviders } from '../../client/provider-health.js';
import {
  defineProject,
  entity,
  featureView,
  fileStore,
  fromEnv,
  fromFile,
  localFiles,
  onlineStore,
  postgresStore,
  redisStore,
  s3,
  t,
  type Binding,
} from '../../definitions/index.js';
import { openProject } from '../../providers/bind.js';
import { ownServers, type OwnServers } from '../support/own-servers.js';
import { until } from '../support/until.js';

let servers: OwnServers;
let folder: string;
const children: ChildProcess[] = [];
beforeAll(async () => {
  servers = await ownServers(['postgres', 'redis', 's3']);
  folder = await mkdtemp(join(tmpdir(), 'granary-health-'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await servers[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The health of one system in a project's place. */
async function health(bind: Binding): Promise<string> {
  const files = bind.type === 'localFiles' || bind.type === 's3';
  const store = fileStore('raw');
  const project = defineProject({
    name: 'h',
    resources: [
      featureView('v', {
        entities: [entity('user', { joinKeys: { id: t.int64 } })],
        source: store.parquet('s', { path: 's.parquet', schema: { id: t.int64, x: t.float64 } }),
        features: ['x'],
        online: onlineStore('online'),
      }),
    ],
    environments: {
      dev: {
        registry: { url: fromEnv('DATABASE_URL') },
        bind: files
          ? { raw: bind, online: redisStore({ url: fromEnv('REDIS_URL') }) }
          : { raw: localFiles(folder), online: bind },
      },
    },
  });
  const open = openProject(project);
  try {
    const [found] = await checkProviders(open, files ? 'raw' : 'online');
    return found?.healthy ? 'healthy' : `${found?.error ?? ''} [${found?.code ?? ''}]`;
  } finally {
    await open.providers.close();
  }
}

const HEAD = 'Granary cannot connect to the provider during health check: ';

/** A port at which nobody listens. */
async function closedPort(): Promise<number> {
  const server: Server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a Redis with these settings; resolves to its port once it answers. */
async function redisWith(...settings: string[]): Promise<number> {
  const port = await closedPort();
  const file = join(folder, `redis-${port}.conf`);
  await writeFile(
    file,
    [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, 'save ""', ...settings].join('\n'),
  );
  const program = process.env['REDIS_SERVER'] ?? 'redis-server';
  const child = spawn(
    program,
    [file, ...(settings.some((s) => s.startsWith('sentinel')) ? ['--sentinel'] : [])],
    {
      stdio: 'ignore',
    },
  );
  children.push(child);
  await until(
    'redis listens',
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1');
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      }),
    { timeoutMs: 10_000 },
  );
  return port;
}

describe('a health check of Redis', () => {
  it('passes for a server that is well', async () => {
    expect(await health(redisStore({ url: fromEnv('REDIS_URL') }))).toBe('healthy');
  });

  it('says that nobody listens', async () => {
    const port = await closedPort();
    expect(await health(redisStore({ url: `redis://127.0.0.1:${port}` }))).toMatch(
      new RegExp(
        `^${HEAD}\\(REDIS_ONLINE - client_initialization\\) redis at redis://127\\.0\\.0\\.1:${port}/0 does not answer: .*ECONNREFUSED.* \\[ProviderUnreachable\\]$`,
      ),
    );
  });

  it('says that the password is wrong, and never the password', async () => {
    const port = await redisWith('requirepass s3cret');
    process.env['WRONG_REDIS'] = `redis://:n0pe@127.0.0.1:${port}`;
    const found = await health(redisStore({ url: fromEnv('WRONG_REDIS') }));
    expect(found).toMatch(
      /\(REDIS_ONLINE - client_initialization\) .*it refuses the user name or the password.*WRONGPASS.*\[ConfigurationMissing\]$/,
    );
    expect(found).not.toMatch(/n0pe|s3cret/);
  });

  it('says that a password is missing', async () => {
    const port = await redisWith('requirepass s3cret');
    expect(await health(redisStore({ url: `redis://127.0.0.1:${port}` }))).toMatch(
      /\(REDIS_ONLINE - client_initialization\) .*it asks for a password.*\[ConfigurationMissing\]$/,
    );
  });

  it('says that a permission is missing', async () => {
    const port = await redisWith('user reader on nopass ~* +@read +ping +info +hello +select');
    expect(await health(redisStore({ url: `redis://reader@127.0.0.1:${port}` }))).toMatch(
      /the user may not run a command that is needed.*NOPERM.*\[ConfigurationMissing\]$/,
    );
  });

  it('says that the address is a Sentinel, and what to give instead', async () => {
    const port = await redisWith('sentinel monitor mymaster 127.0.0.1 6379 1');
    expect(await health(redisStore({ url: `redis://127.0.0.1:${port}` }))).toMatch(
      /\(REDIS_ONLINE - client_initialization\) .* is a Sentinel, which holds no rows\. Give the address of the primary.*\[ConfigurationMissing\]$/,
    );
  });

  it('says that the address is a node of a cluster', async () => {
    const port = await redisWith('cluster-enabled yes', `cluster-config-file nodes-${Date.now()}.conf`);
    expect(await health(redisStore({ url: `redis://127.0.0.1:${port}` }))).toMatch(
      /is a node of a Redis Cluster.*standalone server.*\[ConfigurationMissing\]$/,
    );
  });

  it('takes up a password that was rotated, also while a connection stands', async () => {
    const port = await redisWith('requirepass first');
    const file = join(folder, 'rotating');
    await writeFile(file, `redis://:first@127.0.0.1:${port}`);
    const project = defineProject({
      name: 'h',
      resources: [onlineStore('online')],
      environments: {
        dev: {
          registry: { url: fromEnv('DATABASE_URL') },
          bind: { online: redisStore({ url: fromFile(file) }) },
        },
      },
    });
    const open = openProject(project);
    try {
      const store = open.providers.online('online');
      const first = await store.state('h_dev');
      const admin = new Redis(`redis://:first@127.0.0.1:${port}`);
      await admin.config('SET', 'requirepass', 'second');
      await writeFile(file, `redis://:second@127.0.0.1:${port}`);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      admin.disconnect();
      expect(await store.state('h_dev')).toEqual(first);
    } finally {
      await open.providers.close();
    }
  });
});

describe('a health check of Postgres', () => {
  const at = (user: string, rest = '/postgres'): string => {
    const url = new URL(process.env['DATABASE_URL'] ?? '');
    return `postgres://${user}@${url.host}${rest}`;
  };
  beforeAll(async () => {
    const admin = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
    await admin.connect();
    for (const role of ['barred', 'tls_only', 'reader']) await admin.query(`CREATE ROLE ${role} LOGIN`);
    await admin.query(`CREATE ROLE checked LOGIN PASSWORD 's3cret'`);
    await admin.query(`GRANT CREATE ON DATABASE postgres TO checked`);
    const hba = join(servers.data('postgres'), 'pg_hba.conf');
    await writeFile(
      hba,
      `host all barred all reject\nhostssl all tls_only all trust\nhostnossl all tls_only 0.0.0.0/32 trust\nhost all checked all scram-sha-256\nhost all reader all trust\nhost all ${new URL(process.env['DATABASE_URL'] ?? '').username || userInfo().username} all trust\nlocal all all trust\n`,
    );
    expect(await readFile(hba, 'utf8')).toContain('barred');
    await admin.query('SELECT pg_reload_conf()');
    await admin.end();
    await until(
      'pg_hba.conf is read',
      async () => /pg_hba/.test(await health(postgresStore({ url: at('barred') }))),
      { timeoutMs: 10_000 },
    );
  });

  it.each([
    [
      'that nobody listens',
      () => 'postgres://x@127.0.0.1:1/postgres',
      /does not answer: .*ECONNREFUSED.*\[ProviderUnreachable\]/,
    ],
    ['that the password is wrong', () => at('checked:n0pe'), /wrong password .*\[ConfigurationMissing\]/],
    ['that pg_hba.conf rejects it', () => at('barred'), /rejected by pg_hba\.conf.*\[ConfigurationMissing\]/],
    [
      'that pg_hba.conf wants TLS',
      () => at('tls_only'),
      /rejected by pg_hba\.conf.*without TLS; set sslmode to require.*\[ConfigurationMissing\]/,
    ],
    [
      'that the server has no TLS',
      () => at('reader', '/postgres?sslmode=require'),
      /rejected for the TLS mode: it has no TLS\. Set sslmode to disable\. \[ConfigurationMissing\]/,
    ],
    [
      'that the database is absent',
      () => at('reader', '/nowhere'),
      /the database is absent.*\[ConfigurationMissing\]/,
    ],
    ['that the user is unknown', () => at('nobody_at_all'), /pg_hba|does not know the user/],
    [
      'that a permission is missing',
      () => at('reader'),
      /a permission is missing: the user reader may not create a schema in the database postgres\. Run there: GRANT CREATE.*\[ConfigurationMissing\]/,
    ],
  ])('says %s', async (_, url, message) => {
    process.env['HEALTH_POSTGRES'] = url();
    const found = await health(postgresStore({ url: fromEnv('HEALTH_POSTGRES') }));
    expect(found).toMatch(message);
    expect(found.startsWith(`${HEAD}(POSTGRES_ONLINE - ping) postgres at `)).toBe(true);
    expect(found).not.toContain('n0pe');
  });

  it('passes where the user may create a schema, and takes up a rotated password at the next connection', async () => {
    const file = join(folder, 'postgres-url');
    await writeFile(file, at('checked:s3cret'));
    expect(await health(postgresStore({ url: fromFile(file) }))).toBe('healthy');
    const admin = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
    await admin.connect();
    const open = openProject(
      defineProject({
        name: 'h',
        resources: [onlineStore('online')],
        environments: {
          dev: {
            registry: { url: fromEnv('DATABASE_URL') },
            bind: { online: postgresStore({ url: fromFile(file) }) },
          },
        },
      }),
    );
    try {
      const store = open.providers.online('online');
      await store.check();
      await admin.query(`ALTER ROLE checked PASSWORD 'other'`);
      await writeFile(file, at('checked:other'));
      await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'checked'`);
      await until(
        'a new connection',
        () =>
          store.check().then(
            () => true,
            () => false,
          ),
        { timeoutMs: 5000 },
      );
    } finally {
      await Promise.all([open.providers.close(), admin.end()]);
    }
  });
});

describe('a health check of files', () => {
  it('says that a folder cannot be written', async () => {
    await writeFile(join(folder, 'a-file'), '');
    expect(await health(localFiles(join(folder, 'a-file', 'below')))).toMatch(
      new RegExp(`^${HEAD.replaceAll('(', '\\(')}\\(LOCAL_FILES - write\\) .*a-file`),
    );
  });

  it.each([
    [
      'the bucket is absent',
      {},
      { bucket: 'no-such-bucket' },
      /There is no bucket for s3:\/\/no-such-bucket/,
    ],
    [
      'the keys are wrong',
      { AWS_ACCESS_KEY_ID: 'somebody', AWS_SECRET_ACCESS_KEY: 'wrong' },
      { bucket: 'health' },
      /refuses the credentials for s3:\/\/health.*Correct or renew the keys/,
    ],
    [
      'the secret key is wrong',
      { AWS_SECRET_ACCESS_KEY: 'wrong' },
      { bucket: 'health' },
      /refuses the credentials for s3:\/\/health/,
    ],
  ])('says that %s', async (_, env, { bucket }, message) => {
    const before = { ...process.env };
    Object.assign(process.env, env);
    try {
      const found = await health(s3({ bucket, endpoint: fromEnv('S3_ENDPOINT') }));
      expect(found).toMatch(message);
      expect(found.startsWith(`${HEAD}(S3_FILES - write) `)).toBe(true);
    } finally {
      Object.assign(process.env, before);
    }
  });

  it('says that this clock is wrong', async () => {
    const skewed = createServer((request, response) => {
      request.resume();
      response.writeHead(403, { 'content-type': 'application/xml' });
      response.end(
        '<?xml version="1.0"?><Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message></Error>',
      );
    });
    await new Promise<void>((resolve) => skewed.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = skewed.address() as AddressInfo;
      expect(await health(s3({ bucket: 'health', endpoint: `http://127.0.0.1:${port}` }))).toMatch(
        /\(S3_FILES - write\) This machine's clock is wrong, says 127\.0\.0\.1:.*\[ConfigurationMissing\]/,
      );
    } finally {
      skewed.close();
    }
  });
});
