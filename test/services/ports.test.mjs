import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { pickPort, pickPorts } from '../../scripts/services/ports.mjs';

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
    const { server, port } = await listen();
    server.close();
    await once(server, 'close');
    expect(await pickPort(port)).toBe(port);
    expect(await pickPort(port)).not.toBe(port); // given out already
  });

  it('are others where those are taken', async () => {
    const { server, port } = await listen();
    expect(await pickPort(port)).not.toBe(port);
    server.close();
  });
});
