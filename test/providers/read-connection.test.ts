import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ReadConnection } from '../../providers/online/redis/read-connection.js';

const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');
const GET = Buffer.from('*2\r\n$4\r\nMGET\r\n$1\r\nx\r\n');
const ONE = { replies: 1, fields: 1 };
/** Longer than a server may be silent. */
const TOO_LONG_MS = 2400;

/** A server whose answers to what comes after the first PING a test writes. */
async function server(
  answer: (socket: Socket, asks: number, data: Buffer) => void,
): Promise<AsyncDisposable & { readonly connection: ReadConnection; readonly connections: () => number }> {
  const open = new Set<Socket>();
  let connections = 0;
  const listening = createServer((socket) => {
    open.add(socket);
    connections++;
    let asks = 0;
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      if (data.equals(PING)) socket.write('+PONG\r\n');
      else answer(socket, asks++, data);
    });
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const address = listening.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const connection = new ReadConnection(() => ({ port }));
  return {
    connection,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      connection.close();
      for (const socket of open) socket.destroy();
      listening.close();
      await once(listening, 'close');
    },
  };
}

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

it('answers that wait to be read while the process is busy for seconds are no silence', async () => {
  await using redis = await server((socket) => {
    socket.write('*1\r\n$1\r\n7\r\n');
    // The answer is on its way, and nobody reads it.
    block(TOO_LONG_MS);
  });
  const { bytes, at } = await redis.connection.ask(GET, ONE);
  expect(bytes.toString('utf8', at[0], at[1])).toBe('7');
  expect(redis.connections()).toBe(1);
});

it('a long answer may take as long as it flows', async () => {
  await using redis = await server((socket) => {
    void (async () => {
      socket.write('*1\r\n$6\r\n');
      for (const letter of 'abcdef') {
        await sleep(TOO_LONG_MS / 6);
        socket.write(letter);
      }
      socket.write('\r\n');
    })();
  });
  const { bytes, at } = await redis.connection.ask(GET, ONE);
  expect(bytes.toString('utf8', at[0], at[1])).toBe('abcdef');
});

it('a key that is no hash is one entity without a row; another error fails the whole', async () => {
  const errors = ['WRONGTYPE Operation against a key', 'OOM command not allowed'];
  await using redis = await server((socket, asks) =>
    socket.write(`*1\r\n$1\r\n7\r\n-${errors[asks] ?? ''}\r\n*1\r\n$-1\r\n`),
  );
  const { at } = await redis.connection.ask(GET, { replies: 3, fields: 1 });
  expect([...at.subarray(2)]).toEqual([-2, -2, -1, -1]);
  await expect(redis.connection.ask(GET, { replies: 3, fields: 1 })).rejects.toThrow(/^OOM/);
});

it('connects anew where the server asks for a password since, for all that wait', async () => {
  let refusals = 0;
  await using redis = await server((socket, asks, data) => {
    const isRefused = redis.connections() === 1 && asks > 0;
    if (isRefused) refusals++;
    const one = isRefused ? '-NOAUTH Authentication required.\r\n' : '*1\r\n$1\r\n7\r\n';
    socket.write(one.repeat(data.length / GET.length));
  });
  await redis.connection.ask(GET, ONE);
  const asks = [1, 2, 3].map(() => redis.connection.ask(GET, ONE));
  for (const { bytes, at } of await Promise.all(asks)) expect(bytes.toString('utf8', at[0], at[1])).toBe('7');
  expect([redis.connections(), refusals > 0]).toEqual([2, true]);
});

it.each([
  ['silent from the start', ''],
  ['silent in the middle of an answer', '*1\r\n$6\r\nab'],
])('a server that is %s is given up within four seconds', async (_, told) => {
  await using redis = await server((socket) => socket.write(told));
  const began = performance.now();
  await expect(redis.connection.ask(GET, ONE)).rejects.toThrow('no answer within 2000 ms');
  const took = performance.now() - began;
  expect(took).toBeGreaterThan(1900);
  expect(took).toBeLessThan(4000);
});
