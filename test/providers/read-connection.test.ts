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
  answer: (socket: Socket, asks: number) => void,
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
      else answer(socket, asks++);
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
