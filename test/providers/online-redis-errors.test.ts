import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { redisOnlineProvider } from '../../providers/online/redis/provider.js';
import { redisError } from '../../providers/online/redis/redis-errors.js';
import { fakeRedis } from './fake-redis.js';
import { userView, writeRows } from './online-rows.js';

describe('online store redis, when the server misbehaves', () => {
  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", 'ResourcesExhausted', true],
    [
      'ERR Error running script (call to f_00): @user_script:1: @user_script: 1: -OOM command not allowed',
      'ResourcesExhausted',
      true,
    ],
    ['MISCONF Redis is configured to save RDB snapshots', 'ResourcesExhausted', true],
    ['NOAUTH Authentication required.', 'ConfigurationMissing', false],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'ConfigurationMissing', false],
    ['ERR invalid password', 'ConfigurationMissing', false],
    ["NOPERM this user has no permissions to run the 'evalsha' command", 'ConfigurationMissing', false],
    ["READONLY You can't write against a read only replica.", 'ProviderUnreachable', true],
    ['LOADING Redis is loading the dataset in memory', 'ProviderUnreachable', true],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'SchemaMismatch', false],
    ['ERR unknown command', 'QueryFailed', false],
  ])('tells %j as %s', (message, code, retryable) => {
    const reply = Object.assign(new Error(message), { name: 'ReplyError' });
    const error = redisError(reply, 'redis at redis://cache:6379/0');
    expect(error).toMatchObject({
      code,
      retryable,
      message: expect.stringMatching(/^redis at redis:\/\/cache:6379\/0: /) as string,
    });
  });

  it.each(['http://x', 'not a url', 'localhost:6379', ''])(
    'refuses the URL %j without repeating it',
    (bad) => {
      expect(() => redisOnlineProvider({ url: bad })).toThrow(
        expect.objectContaining({ code: 'ConfigurationMissing' }),
      );
      expect(() => redisOnlineProvider({ url: 'redis//u:s3cret@x' })).toThrow(
        expect.not.stringContaining('s3cret'),
      );
    },
  );

  it('gives up on a server that accepts and never answers', async () => {
    const sockets: Socket[] = [];
    const silent: Server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const provider = redisOnlineProvider({ url: `redis://:s3cret@127.0.0.1:${port}` });
    const view = userView({ project: randomBytes(4).toString('hex') });
    const began = Date.now();
    await expect(writeRows(provider, view, 1, [{ event: 0, value: 1n }])).rejects.toMatchObject({
      code: 'ProviderUnreachable',
      message: expect.stringContaining(`127.0.0.1:${port}`) as string,
    });
    expect(Date.now() - began).toBeLessThan(7000);
    await provider.close();
    sockets.forEach((socket) => socket.destroy());
    silent.close();
  }, 15_000);

  const rows = Array.from({ length: 6000 }, (_, i) => ({ id: BigInt(i), event: 0, value: 1n }));

  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", 'ResourcesExhausted'],
    ['MISCONF Redis is configured to save RDB snapshots', 'ResourcesExhausted'],
    ["READONLY You can't write against a read only replica.", 'ProviderUnreachable'],
    ['LOADING Redis is loading the dataset in memory', 'ProviderUnreachable'],
    ['BUSY Redis is busy running a script.', 'ProviderUnreachable'],
  ])('fails a load that is told %j on the way, and loads again once that is over', async (message, code) => {
    let ill = true;
    const server = await fakeRedis((name, call) =>
      name !== 'EVALSHA' ? '+OK\r\n' : ill && call >= 3 ? `-${message}\r\n` : '*3\r\n:100\r\n:0\r\n:0\r\n',
    );
    const provider = redisOnlineProvider({ url: server.url });
    try {
      // As often as there are places in flight: a failed call must give its place back.
      for (let i = 0; i < 3; i++)
        await expect(writeRows(provider, userView(), 1, rows)).rejects.toMatchObject({ code });
      ill = false;
      expect(await writeRows(provider, userView(), 1, rows)).toBe('6000w 0o 0u');
    } finally {
      await provider.close();
      server.close();
    }
  });

  it('gives up on a server that falls silent in the middle of a load', async () => {
    const server = await fakeRedis((name, call) =>
      name === 'EVALSHA' && call >= 10 ? undefined : '*3\r\n:100\r\n:0\r\n:0\r\n',
    );
    const provider = redisOnlineProvider({ url: server.url });
    try {
      const began = Date.now();
      await expect(writeRows(provider, userView(), 1, rows)).rejects.toMatchObject({
        code: 'ProviderUnreachable',
      });
      expect(Date.now() - began).toBeLessThan(8000);
    } finally {
      await provider.close();
      server.close();
    }
  }, 15_000);

  it('loads the script for all calls in flight when the server forgot it', async () => {
    const known = new Set<string>();
    const server = await fakeRedis((name) => {
      if (name === 'SCRIPT') known.add('script');
      if (name !== 'EVALSHA') return '$1\r\nx\r\n';
      return known.size > 0 ? '*3\r\n:100\r\n:0\r\n:0\r\n' : '-NOSCRIPT No matching script.\r\n';
    });
    const provider = redisOnlineProvider({ url: server.url });
    try {
      expect(await writeRows(provider, userView(), 1, rows)).toBe('6000w 0o 0u');
    } finally {
      await provider.close();
      server.close();
    }
  });
});
