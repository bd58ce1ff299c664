/**
 * Asks a feature server, or Redis itself, as fast as it answers, from a process of its own: `load.ts <url> <connections> <entities> <seconds> <project>`.
 * Each connection asks again once it has its whole answer. Prints one JSON object.
 */
import { connect } from 'node:net';
import { EntityKeySerializer } from '../../feast/entity-key.js';
import { featureField, redisKey, timestampField } from '../../feast/redis-layout.js';
import { ReadConnection } from '../../providers/online/redis/read-connection.js';
import { FEATURES, VIEW } from './project.js';
import { USERS, type Measured } from './measure.js';

const [address = '', connections = '1', entities = '1', seconds = '3', project = ''] = process.argv.slice(2);
const url = new URL(address);
const count = Number(entities);
const WARM_UP_MS = 1000;
const FIELDS = [timestampField(VIEW), ...FEATURES.map(({ name }) => featureField(VIEW, name))];
const latencies: number[] = [];
let start = 0;
let end = 0;

/** From now on it counts, after a warm-up. */
function begin(): void {
  start = performance.now() + WARM_UP_MS;
  end = start + Number(seconds) * 1000;
}

/** Notes an answer; `false` when time is up. */
function note(began: number): boolean {
  const now = performance.now();
  if (began >= start && now <= end) latencies.push(now - began);
  return now < end;
}

const ids = (): number[] => Array.from({ length: count }, () => 1 + Math.floor(Math.random() * USERS));

function overHttp(): Promise<void> {
  const requests = Array.from({ length: 200 }, () => {
    const body = JSON.stringify({
      features: FEATURES.map(({ name }) => `${VIEW}:${name}`),
      entities: { user_id: ids() },
    });
    return Buffer.from(
      `POST /get-online-features HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname).setNoDelay(true);
    let began = 0;
    let next = Math.floor(Math.random() * requests.length);
    let head = '';
    let left = -1;
    const send = (): void => {
      began = performance.now();
      socket.write(requests[next++ % requests.length] ?? '');
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      if (left < 0) {
        head += chunk.toString('latin1');
        const over = head.indexOf('\r\n\r\n');
        if (over < 0) return;
        if (!head.startsWith('HTTP/1.1 200')) return reject(new Error(head.slice(0, 500)));
        left = Number(/content-length: *(\d+)/i.exec(head)?.[1]) - (head.length - over - 4);
        head = '';
      } else left -= chunk.length;
      if (left > 0) return;
      left = -1;
      if (note(began)) return send();
      socket.destroy();
      resolve();
    });
  });
}

/** HMGETs of random entities, as many a write as entities are asked for. */
function reads(): Buffer[] {
  const keys = new EntityKeySerializer([{ name: 'user_id', type: 'int64' }]);
  const bulk = (bytes: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
  const tail = Buffer.concat(FIELDS.map(bulk));
  const head = Buffer.from(`*${2 + FIELDS.length}\r\n$5\r\nHMGET\r\n`);
  return Array.from({ length: 200 }, () =>
    Buffer.concat(ids().flatMap((id) => [head, bulk(redisKey(keys.serialize([BigInt(id)]), project)), tail])),
  );
}

async function overRedis(connection: ReadConnection, wires: readonly Buffer[]): Promise<void> {
  for (let next = Math.floor(Math.random() * wires.length); ; next++) {
    const began = performance.now();
    await connection.ask(wires[next % wires.length] ?? Buffer.alloc(0), {
      replies: count,
      fields: FIELDS.length,
    });
    if (!note(began)) break;
  }
  connection.close();
}

if (url.protocol === 'redis:') {
  const open: ReadConnection[] = [];
  for (let n = 0; n < Number(connections); n++) {
    const connection = new ReadConnection(() => ({ host: url.hostname, port: Number(url.port) }));
    // One after the other: those that load already would keep the others from connecting in time.
    await connection.ask(Buffer.from('*1\r\n$4\r\nPING\r\n'), { replies: 1, fields: 0 });
    open.push(connection);
  }
  // Made before the time runs: those of a hundred entities take longer than the warm-up.
  const wires = reads();
  begin();
  await Promise.all(open.map((connection) => overRedis(connection, wires)));
} else {
  begin();
  await Promise.all(Array.from({ length: Number(connections) }, overHttp));
}
latencies.sort((a, b) => a - b);
const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? NaN;
const measured: Measured = { perSecond: latencies.length / Number(seconds), p50: at(0.5), p99: at(0.99) };
process.stdout.write(JSON.stringify(measured));
