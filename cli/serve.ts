import { setTimeout as sleep } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import { GranaryClient } from '../client/index.js';
import { GranaryError, messageOf } from '../definitions/errors.js';
import { durationMicros } from '../definitions/interval.js';
import { fromEnv, fromFile, type Secret } from '../definitions/secret.js';
import { openProject, sharedProviders, type OpenProject } from '../providers/bind.js';
import { registryError } from '../registry/database.js';
import type { ListenOptions, StatusRule, Token } from '../server/index.js';
import { DEFAULT_PORT, DEFAULTS } from '../server/options.js';
import { listenOn } from '../server/server.js';
import type { ClientFlags } from './connect.js';
import { count } from './count.js';
import { loadProject } from './load-project.js';
import { withProject, withTaskQueue } from './options.js';
import { portNumber } from './port-number.js';

interface ServeFlags extends ClientFlags {
  readonly port: number;
  readonly host: string;
  readonly apply?: true;
  readonly feastStatuses?: true;
  readonly readToken: readonly Secret[];
  readonly runToken: readonly Secret[];
  readonly maxBody: number;
  readonly maxEntities: number;
  readonly drainNotice: string;
  readonly drainTimeout: string;
  readonly json?: true;
}

const log = (line: string): void => void process.stderr.write(`granary serve: ${line}\n`);

export function addServe(program: Command): void {
  withTaskQueue(withProject(program.command('serve')))
    .description(
      "Serves features over HTTP, with the API of Feast's feature server, until SIGINT or SIGTERM.",
    )
    .addOption(
      new Option('--port <n>', 'where to listen; 0: any free one')
        .argParser(portNumber)
        .default(DEFAULT_PORT),
    )
    .option('--host <address>', 'where to listen; 0.0.0.0: for other machines, too', '127.0.0.1')
    .option('--json', 'one JSON line on stdout once it listens')
    .option('--apply', 'apply the project first, as "granary apply" does; several servers may do so at once')
    .option('--feast-statuses', "answer PRESENT for every value, as Feast's Python server does")
    .addOption(secretOption('--read-token <where>', 'a bearer token that may read features'))
    .addOption(secretOption('--run-token <where>', 'a bearer token that may also start runs'))
    .addOption(number('--max-body <bytes>', 'the largest body', DEFAULTS.maxBody))
    .addOption(number('--max-entities <n>', 'entities of one request', DEFAULTS.maxEntities))
    .option(
      '--drain-notice <time>',
      'how long /health says 503 before connections are refused on SIGTERM',
      '3s',
    )
    .option('--drain-timeout <time>', 'how long what is under way may then take to end', '30s')
    .addHelpText(
      'after',
      '\nTokens are named, not written: env:NAME for a variable, file:/path for a file. Without one everybody may call.\n\nExamples:\n  granary serve --apply\n  granary serve --host 0.0.0.0 --read-token file:/run/secrets/read --run-token env:RUN_TOKEN',
    )
    .action(async (flags: ServeFlags) => {
      const notice = Number(durationMicros(flags.drainNotice)) / 1000;
      const drainTimeout = Number(durationMicros(flags.drainTimeout)) / 1000;
      const open = openProject(await loadProject(flags.project), flags.env);
      try {
        if (flags.apply === true) await applyFirst(open, flags);
        await serve(open, flags, notice, drainTimeout);
      } catch (error) {
        throw registryError(error);
      } finally {
        await open.providers.close();
      }
    });
}

async function serve(
  open: OpenProject,
  flags: ServeFlags,
  notice: number,
  drainTimeout: number,
): Promise<void> {
  const tokens: Token[] = [
    ...flags.readToken.map((secret) => ({ role: 'read' as const, secret })),
    ...flags.runToken.map((secret) => ({ role: 'run' as const, secret })),
  ];
  const statuses: StatusRule = flags.feastStatuses === true ? 'feast-python' : 'truthful';
  const { port, host, maxBody, maxEntities } = flags;
  // Temporal is asked for by who starts runs, not by who reads.
  let client: Promise<GranaryClient> | undefined;
  const materializer = (): Promise<GranaryClient> =>
    (client ??= GranaryClient.over(sharedProviders(open), flags.taskQueue).catch((error: unknown) => {
      client = undefined;
      throw error;
    }));
  const options: ListenOptions = {
    ...{ port, host, maxBody, maxEntities, statuses, tokens, log, materializer, drainTimeout },
  };
  const server = await listenOn(open, options).catch((error: unknown) => {
    throw addressError(error, flags);
  });
  if (flags.json) process.stdout.write(`${JSON.stringify({ event: 'ready', url: server.url })}\n`);
  log(`listens at ${server.url}${tokens.length === 0 ? ', for everybody: no token was given' : ''}`);
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  log(`${signal}: finishes what is under way`);
  // A second signal ends at once, as is usual.
  await server.drain(signal === 'SIGTERM' ? notice : 0);
  // One that could not connect was told to whoever asked for a run.
  await (await client?.catch(() => undefined))?.close();
}

/**
 * Registers the project's definitions; what is new of it is made by a worker while the server serves. Each of several servers may do so: the
 * registry lets one at a time, and what is there already is left alone.
 */
async function applyFirst(open: OpenProject, { taskQueue }: ServeFlags): Promise<void> {
  const client = await GranaryClient.over(sharedProviders(open), taskQueue);
  try {
    const handle = await client.apply();
    log(`applies as ${handle.run}`);
    for (;;) {
      const { plan, status, error } = await handle.status();
      if (plan) return;
      if (status !== 'PENDING' && status !== 'RUNNING')
        throw new GranaryError(
          'InvalidInput',
          `The apply ${handle.run} ended ${status} before its definitions were registered: ${error ?? 'it says no more'}. See "granary status ${handle.run}".`,
        );
      await sleep(200);
    }
  } finally {
    await client.close();
  }
}

const number = (flags: string, description: string, value: number): Option =>
  new Option(flags, description).argParser(count).default(value);

const secretOption = (flags: string, description: string): Option =>
  new Option(flags, `${description}: env:NAME or file:/path; may be given several times`)
    .argParser((text: string, before: readonly Secret[]) => [...before, secret(text)])
    .default([], 'none');

function secret(text: string): Secret {
  const [, kind, where = ''] = /^(env|file):(.+)$/.exec(text) ?? [];
  if (kind === undefined)
    throw new GranaryError(
      'InvalidInput',
      'A token is named by where it is kept, and does not stand in the command: write env:NAME or file:/path.',
    );
  return kind === 'env' ? fromEnv(where) : fromFile(where);
}

function addressError(error: unknown, { host, port: asked }: ServeFlags): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') return error;
  return new GranaryError(
    'InvalidInput',
    `Cannot listen at ${host}:${asked}: ${messageOf(error)}. Give another --port or --host.`,
    { cause: error },
  );
}
