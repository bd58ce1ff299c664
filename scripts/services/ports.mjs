import net from 'node:net';

/** The kernel may hand the same free port out again before a server has bound it. */
const taken = new Set();

/**
 * A free port on the loopback interface, never the same one twice in this process.
 * @param {number} [preferred] last time's, so that an address stays the same where it can
 * @returns {Promise<number>}
 */
export async function pickPort(preferred) {
  for (let wanted = preferred ?? 0; ; wanted = 0) {
    const port = taken.has(wanted) ? undefined : await tryPort(wanted);
    if (port === undefined || taken.has(port)) continue;
    taken.add(port);
    return port;
  }
}

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
 * @param {number} wanted 0 asks for any
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
