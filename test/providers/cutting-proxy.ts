import { connect, createServer, type Socket } from 'node:net';

/** A server that passes bytes on to another and cuts its connections when told to. */
export async function cuttingProxy(
  target: URL,
): Promise<{ url: string; cut: () => number; close: () => void }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const upstream = connect(Number(target.port || 6379), target.hostname);
    open.add(socket);
    socket.pipe(upstream).pipe(socket);
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
    socket.on('close', () => {
      open.delete(socket);
      upstream.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(target);
  url.host = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const cut = (): number => {
    const count = open.size;
    for (const socket of open) socket.destroy();
    return count;
  };
  return {
    url: url.href,
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
}
