import { createServer, type Socket } from 'node:net';

/** What a {@link fakeRedis} says to a command, in the bytes of the protocol; `undefined` is silence. */
export type Answer = (name: string, call: number) => string | undefined;

/**
 * A server that speaks Redis's protocol and says what a test tells it to: errors and silences that a real one cannot be
 * brought to. `call` counts the commands of one name, from 0. What connecting takes is answered as a real one does.
 */
export async function fakeRedis(answer: Answer): Promise<{ url: string; close: () => void }> {
  const open = new Set<Socket>();
  const calls = new Map<string, number>();
  const server = createServer((socket) => {
    open.add(socket);
    let left = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      left = Buffer.concat([left, data]);
      for (;;) {
        const command = readCommand(left);
        if (!command) return;
        left = left.subarray(command.end);
        const call = calls.get(command.name) ?? 0;
        calls.set(command.name, call + 1);
        const reply = command.name === 'INFO' ? '$11\r\nloading:0\r\n\r\n' : answer(command.name, call);
        if (reply !== undefined) socket.write(reply);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `redis://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    close: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

/** The first whole command of some bytes. */
function readCommand(bytes: Buffer): { name: string; end: number } | undefined {
  let at = 0;
  const size = (): number | undefined => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const text = bytes.toString('latin1', at + 1, end);
    at = end + 2;
    return Number(text);
  };
  const count = size();
  let name = '';
  for (let i = 0; count !== undefined && i < count; i++) {
    const length = size();
    if (length === undefined || at + length + 2 > bytes.length) return undefined;
    if (i === 0) name = bytes.toString('latin1', at, at + length).toUpperCase();
    at += length + 2;
  }
  return count === undefined ? undefined : { name, end: at };
}
