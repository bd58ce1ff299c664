import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { redisOnlineProvider } from '../../providers/online/redis/provider.js';
import { redisError } from '../../providers/online/redis/redis-errors.js';
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
});
