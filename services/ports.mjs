import net from 'node:net';

/** Two picks must not meet on a port that is still free because its server has not bound it yet. */
const taken = new Set();

/**
 * Below the ports that kernels give to outgoing connections (Linux from 32768, macOS from 49152): one of those could be
 * anybody's while a server is down, and the server could not come back at its address.
 */
const range = { from: 12_000, to: 32_000 };

/**
 * A free port on the loopback interface, never the same one twice in this process.
 * @param {number} [preferred] last time's, so that an address stays the same where it can
 * @returns {Promise<number>}
 */
export async function pickPort(preferred) {
  for (let port = preferred ?? randomPort(), tries = 1; ; port = tries++ < 200 ? randomPort() : 0) {
    const found = taken.has(port) ? undefined : await tryPort(port);
    if (found === undefined || taken.has(found)) continue;
    taken.add(found);
    return found;
  }
}

const randomPort = () => range.from + Math.floor(Math.random() * (range.to - range.from));

/**
 * @param {readonly string[]} names
 * @param {Readonly<Record<string, number>>} [preferred]
 * @returns {Promise<Record<string, number>>}
 */
export async function pickPorts(names, preferred = {}) {
  /** @type {Record<string, number>} */
  const ports = {};
  for (const name of names) ports[name] = await pickPort(preferred[name]);
  return ports;
}

/**
 * @param {number} wanted 0 asks for any that is free
 * @returns {Promise<number | undefined>}
 */
function tryPort(wanted) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.on('error', () => resolve(undefined));
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = /** @type {net.AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
