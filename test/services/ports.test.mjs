import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { pickPort, pickPorts } from '../../services/ports.mjs';

/** A port that the kernel gave out, and its listener. */
async function listen() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: /** @type {net.AddressInfo} */ (server.address()).port };
}

describe('ports', () => {
  it('are never picked twice in a process', async () => {
    const names = Array.from({ length: 50 }, (_, number) => `port${number}`);
    const [first, second] = await Promise.all([pickPorts(names), pickPorts(names)]);
    expect(new Set([...Object.values(first), ...Object.values(second)]).size).toBe(100);
  });

  it("are last time's where those are free", async () => {
    // Beside what pickPort gives out by itself, and below what outgoing connections get.
    const port = 11_000 + Math.floor(Math.random() * 1000);
    expect(await pickPort(port)).toBe(port);
    expect(await pickPort(port)).not.toBe(port); // given out already
  });

  it('are no ports of outgoing connections, one of which may take them while a server is down', async () => {
    const ports = Object.values(await pickPorts(Array.from({ length: 50 }, (_, number) => `port${number}`)));
    expect(ports.filter((port) => port >= 32_768)).toEqual([]);
  });

  it('are others where those are taken', async () => {
    const { server, port } = await listen();
    expect(await pickPort(port)).not.toBe(port);
    server.close();
  });
});
