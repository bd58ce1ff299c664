/**
 * Granary's feature server beside Feast's Python server (one worker) and HMGETs on the same Redis: requests a second, p50, p99.
 * They take turns, round by round; medians of the rounds are told, and of the ratios within a round.
 * `npm run bench -- serve [--rounds 3] [--seconds 3] [--entities 1,10,100] [--connections 1,16,32]`. Without `npm run python` Feast is left out.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { registeredView } from '../client/features.js';
import { feastProject } from '../definitions/project.js';
import { openProject } from '../providers/bind.js';
import { onlineView } from '../registry/online-view.js';
import { openRegistry } from '../registry/registry.js';
import { pythonPath } from '../scripts/python-environment.mjs';
import { median } from './median.js';
import { measure, startServer, USERS, type Measured } from './serve/measure.js';
import project, { FEATURES, VIEW } from './serve/project.js';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    entities: { type: 'string', default: '1,10,100' },
    connections: { type: 'string', default: '1,16,32' },
  },
});
const numbers = (text: string): number[] => text.split(',').map(Number);
const open = openProject(project);
const registry = openRegistry(open.registry);
const folder = await mkdtemp(join(tmpdir(), 'granary-bench-serve-'));
const name = feastProject(open.scope);
const python = pythonPath();
const redis = process.env['REDIS_URL'] ?? '';

await registry.migrate();
await registry.resources.register(open.project.resources.values(), []);
const view = onlineView(open.scope, registeredView(await registry.resources.all(), VIEW));
const users = Array.from({ length: USERS }, (_, i) => i + 1);
await open.providers.online('redis').write(view, 1, {
  rows: USERS,
  keys: [users.map(BigInt)],
  values: FEATURES.map(({ type }, f) =>
    users.map((id) => (type === 'int64' ? BigInt(id * (f + 1)) : id / (f + 7))),
  ),
  eventTimes: users.map((id) => BigInt(Date.now()) * 1000n - BigInt(id)),
  createdTimes: users.map(() => null),
  generations: users.map(() => 1),
});

const port = 20_000 + Math.floor(Math.random() * 20_000);
const serve = ['cli/granary.cjs', 'serve', '--project', 'bench/serve/project.ts', '--port', String(port)];
const servers = new Map<string, string>([['HMGET', redis]]);
/** What ends with the bench, last first. */
const endings: (() => unknown)[] = [];
endings.push(async () => {
  await registry.close();
  await open.providers.close();
  const client = new pg.Client({ connectionString: open.registry.url() });
  await client.connect();
  await client.query(`DROP SCHEMA "${open.registry.schema}" CASCADE`);
  await client.end();
  await rm(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  const ours = await startServer(`http://127.0.0.1:${port}`, process.execPath, serve);
  endings.push(() => ours[Symbol.asyncDispose]());
  servers.set('granary', ours.url);
  if (python !== undefined) {
    const yaml = join(folder, 'feature_store.yaml');
    await writeFile(
      yaml,
      `project: ${name}\nprovider: local\nregistry: ${join(folder, 'registry.db')}\nonline_store: { type: redis, connection_string: "${new URL(redis).host}" }\noffline_store: { type: file }\nentity_key_serialization_version: 3\n`,
    );
    execFileSync(python, ['bench/serve/feast_repo.py', yaml], { stdio: ['ignore', 'ignore', 'inherit'] });
    // Its worker is renewed after a thousand requests unless told otherwise, which would count against it.
    const cli = ['-c', 'from feast.cli.cli import cli; cli()', '-c', folder, '--log-level', 'error', 'serve'];
    const options = [
      '-p',
      String(port + 1),
      '--no-access-log',
      '--workers',
      '1',
      '--max-requests',
      '1000000000',
    ];
    const theirs = await startServer(`http://127.0.0.1:${port + 1}`, python, [...cli, ...options]);
    endings.push(() => theirs[Symbol.asyncDispose]());
    servers.set('feast', theirs.url);
  }

  const shown = (number: number): string => (number >= 100 ? number.toFixed(0) : number.toPrecision(3));
  console.log(
    ['entities', 'connections', 'server', 'requests/s', 'p50 ms', 'p99 ms', 'x Feast', 'x HMGET'].join('\t'),
  );
  for (const entities of numbers(flags.entities))
    for (const connections of numbers(flags.connections)) {
      const load = { connections, entities, seconds: Number(flags.seconds), project: name };
      const rounds: ReadonlyMap<string, Measured>[] = [];
      for (let round = 0; round < Number(flags.rounds); round++) {
        const found = new Map<string, Measured>();
        for (const [server, url] of servers) found.set(server, await measure(url, load));
        rounds.push(found);
      }
      for (const server of servers.keys()) {
        const middle = (of: (found: ReadonlyMap<string, Measured>) => number | undefined): string => {
          const values = rounds.flatMap((found) => of(found) ?? []);
          return values.length === 0 ? '' : shown(median(values));
        };
        const times = (other: string): string =>
          middle((found) => {
            const [one, two] = [found.get(server), found.get(other)];
            return one && two && one.perSecond / two.perSecond;
          });
        const cells = (['perSecond', 'p50', 'p99'] as const).map((what) =>
          middle((found) => found.get(server)?.[what]),
        );
        console.log([entities, connections, server, ...cells, times('feast'), times('HMGET')].join('\t'));
      }
    }
} finally {
  for (const end of endings.reverse()) await end();
}
